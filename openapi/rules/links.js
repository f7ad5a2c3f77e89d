// Links and related operations lead somewhere: the operation exists, and each value can be found in the exchange.
import { operationsOf } from "./operations.js";

const REQUEST = /^\$request\.(path|query|header)\.(.+)$/;
const HEADER = /^\$response\.header\.(.+)$/;
const BODY = /^\$response\.body#((?:\/[^/]+)+)$/;

const inBody = (schema, pointer) =>
  pointer.split("/").slice(1).reduce((node, key) => (/^[0-9]+$/.test(key) ? node?.items : node?.properties?.[key]), schema);

/** Why an expression finds nothing in this exchange, or null. */
const fault = (expression, source, response) => {
  const [, place, name] = REQUEST.exec(expression) ?? [];
  if (place)
    return source.parameters.some((one) => one.in === place && one.name === name) ? null : "names no parameter of this operation";
  const [, header] = HEADER.exec(expression) ?? [];
  if (header) return response.headers?.[header] ? null : "names no header of this response";
  const [, pointer] = BODY.exec(expression) ?? [];
  if (!pointer) return "is no runtime expression that this contract uses";
  return inBody(response.content?.["application/json"]?.schema, pointer) ? null : "points to nothing in this response";
};

const faultsOf = (name, link, target, source, response) => {
  if (!target) return [`names the unknown operation ${link.operationId}`];
  const given = Object.entries(link.parameters ?? {});
  const needed = target.parameters.filter((one) => one.required && !(one.name in (link.parameters ?? {})));
  return [
    ...(name === link.operationId ? [] : [`leads to ${link.operationId}; name it after the operation`]),
    ...given
      .filter(([name]) => !target.parameters.some((one) => one.name === name))
      .map(([name]) => `sets ${name}, which ${link.operationId} does not take`),
    ...needed.map(({ name }) => `does not set ${name}, which ${link.operationId} requires`),
    ...given
      .map(([name, value]) => [name, value, fault(String(value), source, response)])
      .filter(([, , why]) => why)
      .map(([name, value, why]) => `sets ${name} to ${value}, which ${why}`),
  ];
};

export default (doc) => {
  const operations = operationsOf(doc);
  const byId = new Map(operations.map((op) => [op.operation.operationId, op]));
  const related = operations.flatMap((op) =>
    (op.operation["x-related"] ?? [])
      .filter((id) => !byId.has(id) || id === op.operation.operationId)
      .map((id) => ({
        message: `x-related of ${op.operation.operationId} names ${id}; name another operation of this contract`,
        path: [...op.at, "x-related"],
      })),
  );
  const linked = operations.flatMap((source) =>
    Object.entries(source.operation.responses ?? {}).flatMap(([status, response]) =>
      Object.entries(response.links ?? {}).flatMap(([name, link]) =>
        faultsOf(name, link, byId.get(link.operationId), source, response).map((text) => ({
          message: `link ${name} of ${source.operation.operationId} ${text}`,
          path: [...source.at, "responses", status, "links", name],
        })),
      ),
    ),
  );
  return [...related, ...linked];
};
