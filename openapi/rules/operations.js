// What every operation has: its statuses, its scope, its quota, its parameters and its body; and how it goes away.
const METHODS = ["get", "put", "post", "patch", "delete", "head", "options", "trace"];
const ALWAYS = [400, 404, 405, 406, 408, 413, 414, 422, 429, 431, 500, 503];

export const operationsOf = (doc) =>
  Object.entries(doc.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      at: ["paths", path, method],
      path,
      method,
      operation: item[method],
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])],
      secured: (item[method].security ?? doc.security ?? []).length > 0,
      quotas: doc["x-rate-limits"] ?? {},
      errors: doc.components?.schemas?.ErrorCode?.["x-errors"] ?? {},
    })),
  );

const DAY = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const LINKS = ["link", "successor"];
const ADDRESS = /^(https:\/\/|\/)[!#-;=?-~]+$/;

// A list of what the installation has is never longer than a page, and is answered as a whole: `{items}`.
const isShort = ({ responses }) => {
  const { items, ...rest } = responses?.["200"]?.content?.["application/json"]?.schema?.properties ?? {};
  return items?.maxItems <= 100 && Object.keys(rest).length === 0;
};

const takes = (op, name) => op.parameters.some((parameter) => parameter.name === name);

// A body may have several media types with the same examples.
const namesOf = (holder) => [...new Set(Object.values(holder?.content ?? {}).flatMap(({ examples }) => Object.keys(examples ?? {})))];

const CHECKS = {
  statuses(op) {
    const due = new Map(ALWAYS.map((status) => [status, "any request can be answered with it"]));
    if (op.secured) [401, 403].forEach((status) => due.set(status, "the operation is secured"));
    if (op.operation.requestBody) due.set(415, "the operation takes a body");
    if (takes(op, "If-Match")) [412, 428].forEach((status) => due.set(status, "the operation takes If-Match"));
    if (takes(op, "If-None-Match")) due.set(304, "the operation takes If-None-Match");
    const isStored = op.operation["x-idempotency"] !== "handler";
    if (takes(op, "Idempotency-Key") && isStored) due.set(409, "the operation takes Idempotency-Key");
    if (op.operation["x-invalid-request"] || op.operation["x-unknown-query"]) due.delete(422);
    const listed = op.operation.responses ?? {};
    return [...due]
      .filter(([status]) => !listed[status])
      .map(([status, why]) => [`lists no ${status}, and ${why}; refer to a shared response`, "responses"]);
  },
  scope({ operation, method, secured }) {
    const scope = operation["x-scope"];
    if (!secured) return scope ? [["is public, so it has no x-scope; remove it", "x-scope"]] : [];
    const right = method === "get" ? "read" : "write";
    return new RegExp(`^[a-z]+:${right}$`).test(scope ?? "") ? [] : [[`needs x-scope, such as music:${right}`]];
  },
  quota({ operation, secured, quotas }) {
    const name = operation["x-rate-limit"];
    if (!quotas[name]) return [[`needs x-rate-limit, one of ${Object.keys(quotas).join(", ")}`, "x-rate-limit"]];
    const per = secured ? "credential" : "address";
    const token = operation["x-token-rate-limit"];
    if (token !== undefined && quotas[token]?.per !== "token")
      return [["has an x-token-rate-limit that is no quota per token", "x-token-rate-limit"]];
    return quotas[name].per === per ? [] : [[`has a quota per ${quotas[name].per}; ${secured ? "a secured" : "a public"} one counts per ${per}`, "x-rate-limit"]];
  },
  invalid_request({ operation, errors }) {
    const code = operation["x-invalid-request"];
    if (code === undefined) return [];
    const { status } = errors[code] ?? {};
    if (!status) return [[`has the x-invalid-request ${code}, which is no code of x-errors`, "x-invalid-request"]];
    if (operation.responses?.[422]) return [["lists a 422, and x-invalid-request replaces it; remove one of them", "x-invalid-request"]];
    return operation.responses?.[status] ? [] : [[`lists no ${status}, which is the status of its x-invalid-request`, "x-invalid-request"]];
  },
  deprecation({ operation }) {
    const { deprecated, "x-sunset": sunset, "x-deprecation": about } = operation;
    if (!deprecated) return sunset || about ? [["is not deprecated; set deprecated: true, or remove x-sunset and x-deprecation"]] : [];
    const found = [];
    if (!DAY.test(about?.since ?? "")) found.push(["needs x-deprecation with since, a day such as 2026-12-01"]);
    if (!DAY.test(sunset ?? "")) found.push(["needs x-sunset, the day on which it goes away, such as 2027-06-30"]);
    if (DAY.test(sunset) && about?.since >= sunset) found.push(["goes away before it is deprecated", "x-sunset"]);
    for (const [key, value] of Object.entries(about ?? {}))
      if (key !== "since" && !(LINKS.includes(key) && ADDRESS.test(value)))
        found.push([`has ${key} in x-deprecation; it takes since, and addresses as ${LINKS.join(" and ")}`, "x-deprecation"]);
    const due = ["Deprecation", "Sunset", ...(LINKS.some((key) => about?.[key]) ? ["Link"] : [])];
    for (const [status, { headers = {} }] of Object.entries(operation.responses ?? {}))
      due.filter((name) => !headers[name]).forEach((name) => found.push([`is deprecated, and its ${status} has no header ${name}`, "responses", status]));
    return found;
  },
  security({ operation }) {
    const blank = (operation.security ?? []).some((scheme) => Object.keys(scheme).length === 0);
    return blank ? [["has optional security; a wrong key would pass as no key, so split the operation", "security"]] : [];
  },
  body({ operation, method }) {
    const body = operation.requestBody;
    if (!body) return [];
    if (["get", "head", "delete"].includes(method)) return [["takes a body, which GET, HEAD and DELETE do not", "requestBody"]];
    const found = typeof body.required === "boolean" ? [] : [["does not say whether its body is required", "requestBody"]];
    const types = Object.keys(body.content ?? {});
    const known = ["application/json", ...(method === "patch" ? ["application/merge-patch+json"] : [])];
    if (types[0] !== known[0] || types.some((type) => !known.includes(type)))
      found.push([`takes another body than ${known.join(" and ")}`, "requestBody", "content"]);
    return found;
  },
  paired({ operation }) {
    const success = Object.keys(operation.responses ?? {}).find((status) => /^2/.test(status));
    const [sent, answered] = [operation.requestBody, operation.responses?.[success]].map((holder) => namesOf(holder));
    if (!operation.requestBody || sent.join() === answered.join()) return [];
    return [[`has the request examples ${sent.join(", ") || "without a name"} and the response examples ${answered.join(", ") || "without a name"}; give both the same names`, "requestBody"]];
  },
  parameters({ parameters, operation }) {
    const found = [];
    parameters.forEach(({ name, in: place, schema = {} }) => {
      const say = (text) => found.push([`parameter ${name} ${text}`, "parameters"]);
      if (place === "cookie") say("is in a cookie; use the path, the query or a header");
      if (place === "query" && /key|token|secret|password/i.test(name)) say("would put a credential into logs; use a header");
      if (place !== "query" && schema.type !== "string") say("is not a string; use a string with a pattern outside the query");
      if (!["string", "integer", "boolean"].includes(schema.type)) say("needs one plain type: string, integer or boolean");
      if (place !== "header" && !/^[a-z][a-z0-9_]*$/.test(name)) say("is not in snake_case");
      if (schema.nullable) say("is nullable; leave it out instead");
    });
    if (/^list_/.test(operation.operationId ?? "") && !isShort(operation)) {
      const limit = parameters.find(({ name }) => name === "limit")?.schema;
      const offset = parameters.find(({ name }) => name === "offset")?.schema;
      if (!(limit?.maximum && limit?.default)) found.push(["lists without a limit that has a maximum and a default", "parameters"]);
      if (offset?.default !== 0) found.push(["lists without an offset whose default is 0", "parameters"]);
    }
    return found;
  },
};

/** Each quota counts something, so many times in so many seconds. */
const quotas = (doc) =>
  Object.entries(doc["x-rate-limits"] ?? {}).flatMap(([name, { per, requests, seconds, description }]) => {
    const whole = [requests, seconds].every((number) => Number.isInteger(number) && number > 0);
    const right = /^[a-z]{1,16}$/.test(name) && ["credential", "address", "token"].includes(per) && whole && description;
    const message = `${name} needs a name of up to 16 letters, per: credential, address or token, requests and seconds above 0, and a description`;
    return right ? [] : [{ message, path: ["x-rate-limits", name] }];
  });

export default (doc, { check }) =>
  check === "quotas"
    ? quotas(doc)
    : operationsOf(doc).flatMap((op) =>
        CHECKS[check](op).map(([text, ...rest]) => ({
          message: `${op.operation.operationId ?? op.at.join(" ")} ${text}`,
          path: op.operation[rest[0]] === undefined ? op.at : [...op.at, ...rest],
        })),
      );
