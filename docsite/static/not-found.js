// Offers the pages whose addresses are most like the one that is not there; the sidebar has them all.
const MOST = 6;
const LEAST = 0.35;

const lastPart = (path) => path.replace(/\/+$/, "").split("/").pop();
const words = (path) => lastPart(path).toLowerCase().replace(/\.\w+$/, "").replace(/[^\p{L}\p{N}]+/gu, "-");

/** Three neighbouring letters each, with the ends of the text. */
function trigrams(text) {
  const padded = `--${text}-`;
  return new Set(Array.from({ length: padded.length - 2 }, (_, at) => padded.slice(at, at + 3)));
}

/** How much of two sets is common, from 0 to 1 (the Dice coefficient). */
const likeness = (one, other) => (2 * [...one].filter((part) => other.has(part)).length) / (one.size + other.size);

const wanted = trigrams(words(location.pathname));
const found = [...document.querySelectorAll("#menu a")]
  .map((link) => ({ link, score: likeness(wanted, trigrams(words(link.pathname))) }))
  .filter(({ score }) => score >= LEAST)
  .sort((one, other) => other.score - one.score)
  .slice(0, MOST);

const section = document.querySelector(".near");
section.hidden = found.length === 0;
for (const { link } of found) {
  const item = document.createElement("li");
  const copy = Object.assign(document.createElement("a"), { href: link.pathname });
  copy.append(Object.assign(document.createElement("strong"), { textContent: link.firstChild.textContent }));
  copy.append(Object.assign(document.createElement("span"), { textContent: link.pathname }));
  item.append(copy);
  section.querySelector("ul").append(item);
}
