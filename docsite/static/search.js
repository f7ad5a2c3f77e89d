// The search: one index of pages, operations, fields and error codes, fetched once, and a dialog.
const { home, index: address, minisearch } = document.documentElement.dataset;
const MOST = 12;

const load = async () => {
  const [{ default: MiniSearch }, answer] = await Promise.all([import(minisearch), fetch(address)]);
  const entries = (await answer.json()).map((entry, id) => ({ ...entry, id }));
  const index = new MiniSearch({
    fields: ["title", "kind", "text"],
    storeFields: ["title", "kind", "path", "text"],
    searchOptions: { boost: { title: 4 }, boostDocument: (id, term, found) => (KINDS.includes(found.kind) ? 2 : 1), prefix: true, combineWith: "AND", fuzzy: (term) => (term.length > 4 ? 0.2 : 0) },
  });
  index.addAll(entries);
  return index;
};
const KINDS = ["Page", "Operation", "Object", "Error code"];

const dialog = document.createElement("dialog");
dialog.setAttribute("aria-label", "Search");
dialog.innerHTML = '<input type="search" placeholder="Operations, fields, error codes, guides" aria-label="Search" autocomplete="off"><p role="status"></p><ul></ul>';
document.body.append(dialog);
const [input, status, list] = dialog.children;
const index = load();

function row({ title, kind, path, text }) {
  const link = Object.assign(document.createElement("a"), { href: `${home}/${path}` });
  link.append(Object.assign(document.createElement("span"), { textContent: kind }), title);
  link.append(Object.assign(document.createElement("p"), { textContent: text }));
  const item = document.createElement("li");
  item.append(link);
  return item;
}

async function find() {
  const words = input.value;
  const found = (await index).search(words).slice(0, MOST);
  if (words !== input.value) return;
  list.replaceChildren(...found.map(row));
  status.textContent = words.trim() ? `${found.length === MOST ? `The first ${MOST}` : found.length} found` : "";
}

input.addEventListener("input", find);
dialog.addEventListener("keydown", (event) => {
  const stops = [input, ...list.querySelectorAll("a")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Enter" && event.target === input) list.querySelector("a")?.click();
  if (event.key === "Escape") dialog.close(); // of itself, the first one only empties the field
  if (!step) return;
  event.preventDefault();
  stops[Math.max(0, Math.min(stops.length - 1, stops.indexOf(document.activeElement) + step))].focus();
});
// A link on the same page closes the dialog, and so does a click beside it.
dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest("a")) && dialog.close());

/** Opens the search. */
export function open() {
  if (!dialog.open) dialog.showModal();
  input.select();
}
