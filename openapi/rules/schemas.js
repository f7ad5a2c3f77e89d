// What every schema has: bounds, patterns that mean the same everywhere, closed objects, a description and an example.
import { operationsOf } from "./operations.js";

const QUANTIFIER = /^(?:[*+]|\{[0-9]+,[0-9]*\})/;
// An open object tells of what was sent, and an id that was sent may have any form.
const ID_PATTERN = /^\^[a-z]+(?:\(\?:[a-z|]+\))?_/;

/** The first group that repeats and holds a repetition itself, or null. */
const nested = (pattern) => {
  const open = [];
  for (let i = 0; i < pattern.length; i++) {
    const repeats = QUANTIFIER.test(pattern.slice(i));
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "[") while (pattern[++i] !== "]") i += pattern[i] === "\\" ? 1 : 0;
    else if (pattern[i] === "(") open.push({ from: i, repeats: false });
    else if (pattern[i] === ")") {
      const group = open.pop();
      if (group.repeats && QUANTIFIER.test(pattern.slice(i + 1))) return pattern.slice(group.from, i + 2);
      if (open.length) open.at(-1).repeats ||= group.repeats;
    } else if (repeats && open.length) open.at(-1).repeats = true;
  }
  return null;
};

const CHECKS = {
  text({ type, enum: values, format, maxLength, pattern }) {
    if (type !== "string" || values || format === "binary") return [];
    const found = maxLength === undefined ? ["text has no maxLength"] : [];
    return pattern === undefined ? [...found, "text has no pattern; say which characters it may hold"] : found;
  },
  numbers({ type, minimum, maximum, format }, { input }) {
    const isShare = minimum === 0 && maximum === 1;
    if (type === "number" && input && !isShare) return ["a fractional number as input that is no share from 0 to 1; use an integer in smaller units"];
    if (!["integer", "number"].includes(type)) return [];
    const found = minimum === undefined || maximum === undefined ? [`a value of the type ${type} has no minimum or no maximum`] : [];
    if (type === "number") return format === "double" ? found : [...found, "a fractional number has no format: double"];
    if (!["int32", "int64"].includes(format)) found.push("an integer has no format: int32 or int64");
    const top = format === "int64" ? Number.MAX_SAFE_INTEGER : 2147483647;
    return maximum > top || minimum < -top - 1 ? [...found, `an integer's bounds do not fit ${format}`] : found;
  },
  arrays(schema) {
    if (schema.type !== "array") return [];
    if (schema.maxItems === undefined) return ["an array has no maxItems"];
    const order = Object.keys(schema).filter((key) => ["maxItems", "uniqueItems", "items"].includes(key));
    const due = ["maxItems", "uniqueItems", "items"].filter((key) => order.includes(key));
    return order.join() === due.join() ? [] : [`write ${due.join(", then ")}: the cheap check comes first`];
  },
  objects(schema, { input }) {
    if (schema.type !== "object") return [];
    if (input && schema.additionalProperties !== false) return ["an input takes unknown fields; set additionalProperties: false"];
    return schema.additionalProperties === undefined ? ["an object does not say additionalProperties: true or false"] : [];
  },
  complete({ additionalProperties, properties = {}, required = [] }, { output }) {
    if (!output || additionalProperties !== false) return [];
    const missing = Object.keys(properties).filter((name) => !required.includes(name));
    return missing.length
      ? [`a response may leave out ${missing.join(", ")}; require it, and make it nullable if it can be empty`]
      : [];
  },
  patterns({ pattern }) {
    if (pattern === undefined) return [];
    const found = [];
    if (/\\[sSdDwWbBpP]/.test(pattern))
      found.push(String.raw`a pattern uses \s, \d, \w, \b or \p, which mean different things elsewhere; spell the characters out`);
    if (/\(\?[^:]/.test(pattern)) found.push("a pattern looks ahead or behind or names a group, which not every dialect can");
    if (!/^\^.*\$$/.test(pattern)) found.push("a pattern is not anchored with ^ and $");
    const group = nested(pattern);
    return group ? [...found, `the pattern's group ${group} repeats a repetition; write it without`] : found;
  },
  ids({ type, enum: values, pattern }, { name, open }) {
    if (type !== "string" || values || open || !/(^|_)ids?$/.test(name ?? "") || name === "trace_id") return [];
    return ID_PATTERN.test(pattern ?? "") ? [] : [`${name} has no pattern that begins with the id's prefix, such as ^mcoll_`];
  },
  nullable: (schema) => (schema.nullable && !schema.type ? ["nullable without a type beside it has no effect"] : []),
  described: ({ description }, { named }) => (named && !description ? ["has no description"] : []),
};

function* walk(schema, at, about, seen) {
  if (!schema || typeof schema !== "object" || seen.has(schema)) return;
  seen.add(schema);
  yield [schema, at, about];
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    yield* walk(child, [...at, "properties", name], { ...about, name, named: true, open: schema.additionalProperties === true }, seen);
  if (schema.items) yield* walk(schema.items, [...at, "items"], { ...about, named: false }, seen);
  for (const word of ["allOf", "anyOf", "oneOf"])
    for (const [i, child] of (schema[word] ?? []).entries()) yield* walk(child, [...at, word, i], about, seen);
}

const contentOf = (holder, at) =>
  Object.entries(holder?.content ?? {}).map(([type, media]) => [media.schema, [...at, "content", type, "schema"]]);

/** Every schema once as an input, once as an output and once as a thing of its own, with its place. */
function* schemasOf(doc) {
  const [inputs, outputs, rest] = [new Set(), new Set(), new Set()];
  for (const { at, operation, parameters } of operationsOf(doc)) {
    for (const [schema, place] of contentOf(operation.requestBody, [...at, "requestBody"]))
      yield* walk(schema, place, { input: true }, inputs);
    for (const { name, schema } of parameters) yield* walk(schema, [...at, "parameters"], { input: true, name }, inputs);
    for (const [status, response] of Object.entries(operation.responses ?? {})) {
      for (const [schema, place] of contentOf(response, [...at, "responses", status]))
        yield* walk(schema, place, { output: true }, outputs);
      for (const [name, header] of Object.entries(response.headers ?? {}))
        yield* walk(header.schema, [...at, "responses", status, "headers", name, "schema"], { name }, rest);
    }
  }
  for (const [name, schema] of Object.entries(doc.components?.schemas ?? {}))
    yield* walk(schema, ["components", "schemas", name], { name, named: true }, rest);
}

export default (doc, { check }) => {
  const found = new Map();
  for (const [schema, path, about] of schemasOf(doc))
    for (const text of CHECKS[check](schema, about))
      found.set(path.join(), { message: `${about.name ?? "body"}: ${text}`, path });
  return [...found.values()];
};
