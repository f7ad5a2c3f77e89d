// Copy buttons, the language that stays chosen, and the search, which is loaded when it is first used.
const LANGUAGE = "language";

/** What is stored in the browser, which may refuse to store anything. */
function stored(value) {
  try {
    return value === undefined ? localStorage.getItem(LANGUAGE) : localStorage.setItem(LANGUAGE, value);
  } catch {
    return null;
  }
}

function choose(language) {
  for (const input of document.querySelectorAll('[aria-label="Language"] > input')) {
    if (input.value === language) input.checked = true;
  }
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches('[aria-label="Language"] > input')) return;
  const before = target.getBoundingClientRect().top;
  stored(target.value);
  choose(target.value);
  scrollBy(0, target.getBoundingClientRect().top - before); // other blocks above may be longer or shorter now
});
choose(stored());

/** The text of a block: of the panel that is shown, if there are several. */
const shownText = (block) => [...block.querySelectorAll("pre")].find((panel) => panel.offsetParent).textContent;

function addCopyButton(block) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(shownText(block));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}

// Without a secure context there is no clipboard to write to.
if (navigator.clipboard) document.querySelectorAll(".code").forEach(addCopyButton);

const openSearch = async () => (await import(document.documentElement.dataset.search)).open();
for (const button of document.querySelectorAll("button.search")) {
  button.hidden = false;
  button.addEventListener("click", openSearch);
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  const wanted = (event.key === "/" && !typing) || (event.key === "k" && (event.metaKey || event.ctrlKey));
  if (!wanted) return;
  event.preventDefault();
  openSearch();
});

// The contents and the sidebar show where the reader is.
document.querySelector("#menu [aria-current]")?.scrollIntoView({ block: "nearest" });
// A field inside folded ones is unfolded when a link leads to it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target?.parentElement; at; at = at.parentElement) if (at.matches("details")) at.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
