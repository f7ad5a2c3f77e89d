// The contract speaks to clients: only known x- keys, and no reference that the linter could not follow. A reference to a
// schema is left where that schema contains itself.
const KNOWN = [
  "x-deprecation", "x-displayName", "x-enum-varnames", "x-errors", "x-idempotency", "x-invalid-request", "x-rate-limit",
  "x-rate-limits", "x-related", "x-scope", "x-shown", "x-sunset",
  "x-token-rate-limit", "x-unknown-query",
];
const VALUES = ["example", "examples", "value", "default", "enum", "x-errors"];

function* keysOf(node, at = []) {
  if (!node || typeof node !== "object") return;
  for (const [key, child] of Object.entries(node)) {
    yield [key, child, [...at, key]];
    if (!VALUES.includes(key) || at.at(-1) === "properties" || at.at(-1) === "components") yield* keysOf(child, [...at, key]);
  }
}

const CHECKS = {
  extensions: (key) =>
    /^x-/.test(key) && !KNOWN.includes(key)
      ? `${key} is not an extension of this contract (${KNOWN.join(", ")}); names of the code stay in the code`
      : null,
  references: (key, child) =>
    key === "$ref" && typeof child === "string" && !child.startsWith("#/components/schemas/")
      ? `${child} was not followed; lint the bundled contract, in which every reference is local`
      : null,
};

const insideHeaders = (path) => path.at(-2) === "headers";

export default (doc, { check }) =>
  [...keysOf(doc)].filter(([, , path]) => !insideHeaders(path)).flatMap(([key, child, path]) => {
    const message = CHECKS[check](key, child);
    return message ? [{ message, path }] : [];
  });
