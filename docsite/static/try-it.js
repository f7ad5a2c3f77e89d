// Sends the request of an operation from its page, and shows the answer. The key is kept in this tab only.
const KEY = "api-key";
const details = document.querySelector(".try");
const form = details.querySelector("form");
const status = details.querySelector("[role=status]");
const inputs = (place) => [...form.querySelectorAll(`[data-in="${place}"]`)].filter((input) => input.value !== "");

function url() {
  const values = Object.fromEntries(inputs("path").map(({ name, value }) => [name, encodeURIComponent(value)]));
  const query = new URLSearchParams(inputs("query").map(({ name, value }) => [name, value])).toString();
  return form.dataset.url.replace(/\{([^{}]+)\}/g, (_, name) => values[name]) + (query && `?${query}`);
}

function request() {
  const headers = new Headers(inputs("header").map(({ name, value }) => [name, value]));
  const { method, header, prefix } = form.dataset;
  if (form.key) headers.set(header, prefix + form.key.value);
  const body = form.body?.value || undefined;
  if (body) headers.set("Content-Type", "application/json");
  return [url(), { method, headers, body, cache: "no-store" }];
}

/** The body of an answer as text: JSON indented, and of anything but text only its size. */
async function text(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.includes("json")) return JSON.stringify(await answer.json(), null, 2);
  if (!type || type.startsWith("text/") || type.includes("yaml")) return answer.text();
  return `${(await answer.blob()).size} bytes of ${type}`;
}

function show(title, content) {
  const panel = Object.assign(document.createElement("pre"), { tabIndex: 0 });
  panel.append(Object.assign(document.createElement("code"), { textContent: content }));
  const figure = Object.assign(document.createElement("figure"), { className: "code" });
  figure.append(Object.assign(document.createElement("figcaption"), { textContent: title }), panel);
  status.replaceChildren(figure);
}

async function send() {
  const started = performance.now();
  try {
    const answer = await fetch(...request());
    const content = await text(answer);
    show(`${answer.status} ${answer.statusText}, ${Math.round(performance.now() - started)} ms`, content);
  } catch (error) {
    show("No answer", String(error.message));
  }
}

/** The key that is kept, or that is to be kept; a browser may refuse to store anything. */
function kept(key) {
  try {
    return key === undefined ? sessionStorage.getItem(KEY) : sessionStorage.setItem(KEY, key);
  } catch {
    return null;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (form.key) kept(form.key.value);
  send();
});
if (form.key) form.key.value = kept() ?? "";
details.hidden = false;
