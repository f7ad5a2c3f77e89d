// What every response has: its headers, its body and, for an error, the envelope with examples that the catalogue allows.
import { operationsOf } from "./operations.js";

const EVERY = ["X-Request-ID", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy"];
const BY_STATUS = { 201: ["Location"], 304: ["ETag"], 401: ["WWW-Authenticate"], 405: ["Allow"], 429: ["Retry-After"] };
const CATALOGUE = ["components", "schemas", "ErrorCode"];
const TOLD = ["status", "message", "description", "remedy"];

const catalogueOf = (doc) => doc.components?.schemas?.ErrorCode?.["x-errors"] ?? {};
const examplesOf = ({ example, examples }) =>
  example === undefined
    ? Object.entries(examples ?? {}).map(([name, { value }]) => [["examples", name, "value"], value])
    : [[["example"], example]];

// Audio is stored in one of several formats, and sent as it is.
const isAudio = (types) => types.length > 0 && types.every((type) => /^audio\//i.test(type));

// The page of an error, for people, stands beside its envelope.
const PAGE = "text/html; charset=utf-8";
const isRedirect = (status) => status > 300 && status < 400 && status !== 304;

const errorExamples = (response) => {
  const media = response.content?.["application/json"] ?? {};
  return examplesOf(media).map(([at, value]) => [["content", "application/json", ...at], value?.error ?? {}]);
};

const CHECKS = {
  headers({ status, response, op }) {
    const due = [...EVERY, ...(BY_STATUS[status] ?? []), ...(status >= 400 ? ["Link"] : []), ...(status >= 500 ? ["Retry-After"] : [])];
    if (status === 415) due.push(op.method === "patch" ? "Accept-Patch" : "Accept-Post");
    if (status === 200 && op.parameters.some(({ name }) => name === "If-None-Match")) due.push("ETag");
    if (errorExamples(response).some(([, { code }]) => code === "IDEMPOTENCY_KEY_IN_USE")) due.push("Retry-After");
    const missing = due.filter((name) => !response.headers?.[name]).map((name) => [`has no header ${name}; refer to components/headers.yaml`]);
    const id = response.headers?.["X-Request-ID"];
    return id && id.required !== true ? [...missing, ["does not require X-Request-ID, which every response has"]] : missing;
  },
  body({ status, response }) {
    const types = Object.keys(response.content ?? {});
    if ([204, 304].includes(status)) return types.length ? [["has a body, which 204 and 304 cannot have", "content"]] : [];
    if (isRedirect(status) && types.length === 0) return [];
    const needed = status >= 400 ? types.filter((type) => type !== PAGE) : types;
    if (needed.length !== 1 && !isAudio(types)) return [["needs exactly one media type, unless all are audio or one is the page of an error"]];
    return types.filter((type) => type !== type.toLowerCase()).map((type) => [`has the media type ${type}; write it in lower case`, "content"]);
  },
  status: ({ key }) => (/^[1-5][0-9]{2}$/.test(key) ? [] : [["is not one status; list each status by its number, so that nothing undocumented passes"]]),
  envelope({ status, response, doc }) {
    if (status < 400) return [];
    const schema = response.content?.["application/json"]?.schema;
    const same = JSON.stringify(schema) === JSON.stringify(doc.components?.schemas?.ErrorEnvelope);
    return schema && same ? [] : [["is an error without the ErrorEnvelope as application/json"]];
  },
  examples({ status, response, doc }) {
    if (status < 400) return [];
    const catalogue = catalogueOf(doc);
    return errorExamples(response).flatMap(([at, error]) => {
      const entry = catalogue[error.code];
      if (!entry) return [[`has an example with the unknown code ${error.code}; add it to ErrorCode`, ...at]];
      if (entry.status !== status) return [[`has an example with ${error.code}, which has the status ${entry.status}`, ...at]];
      return ["status", "type", "message"]
        .filter((field) => error[field] !== entry[field])
        .map((field) => [`has an example whose ${field} is not the one x-errors gives ${error.code}`, ...at]);
    });
  },
  shown({ response, status }) {
    if ([204, 304].includes(status)) return [];
    const shown = Object.values(response.content ?? {}).every((media) => examplesOf(media).length > 0);
    return shown ? [] : [["has no example; show what a client gets"]];
  },
};

/** The list of codes and its catalogue agree, and each code is shown somewhere. */
const catalogue = (doc) => {
  const codes = doc.components?.schemas?.ErrorCode?.enum ?? [];
  const entries = catalogueOf(doc);
  const shown = new Set(responsesOf(doc).flatMap(({ response }) => errorExamples(response).map(([, error]) => error.code)));
  const types = doc.components?.schemas?.ErrorType?.enum ?? [];
  return [
    ...codes.filter((code) => !entries[code]).map((code) => `${code} is in the enum and not in x-errors`),
    ...Object.keys(entries).filter((code) => !codes.includes(code)).map((code) => `${code} is in x-errors and not in the enum`),
    ...codes.filter((code) => !shown.has(code)).map((code) => `${code} has no example in any operation`),
    ...Object.entries(entries)
      .filter(([, entry]) => !(TOLD.every((field) => entry[field]) && types.includes(entry.type)))
      .map(([code]) => `${code} needs in x-errors a type of ErrorType and ${TOLD.join(", ")}`),
  ].map((message) => ({ message, path: CATALOGUE }));
};

const responsesOf = (doc) =>
  operationsOf(doc).flatMap((op) =>
    Object.entries(op.operation.responses ?? {}).map(([key, response]) => ({
      doc, op, key, response,
      status: Number(key),
      at: [...op.at, "responses", key],
    })),
  );

export default (doc, { check }) =>
  check === "catalogue"
    ? catalogue(doc)
    : responsesOf(doc).flatMap((one) =>
        CHECKS[check](one).map(([text, ...rest]) => ({
          message: `${one.key} of ${one.op.operation.operationId} ${text}`,
          path: [...one.at, ...rest],
        })),
      );
