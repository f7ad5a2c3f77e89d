// Fastify: ajv for what comes in, its compiled serializers for what goes out.
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import { Refused, admit, change, create, get, page, reorder, tracks } from './music.mjs';

const contract = JSON.parse(readFileSync(process.env.BENCH_CONTRACT, 'utf8'));
const AT = '/v1/music/:organization_id/collections';

// The contract's schemas in place of their references; a nullable one is a list of two types in JSON Schema.
function plain(node) {
  if (Array.isArray(node)) return node.map(plain);
  if (node === null || typeof node !== 'object') return node;
  if (node.$ref) return plain(contract.components.schemas[node.$ref.split('/').at(-1)]);
  const { example, nullable, description, ...rest } = node;
  const out = Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('x-')));
  for (const key of Object.keys(out)) out[key] = key === 'properties' ? properties(out[key]) : plain(out[key]);
  return nullable ? { ...out, type: [out.type, 'null'] } : out;
}
const properties = (all) => Object.fromEntries(Object.entries(all).map(([name, value]) => [name, plain(value)]));
const schema = (name) => plain(contract.components.schemas[name]);
const query = (most, usual) => ({
  type: 'object',
  additionalProperties: false,
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: most, default: usual },
    offset: { type: 'integer', minimum: 0, maximum: 2147483647, default: 0 },
  },
});

const app = Fastify({ ajv: { customOptions: { removeAdditional: false } }, keepAliveTimeout: 75000, bodyLimit: 1048576 });

app.setErrorHandler((error, _request, reply) => {
  const refused = error.validation ? new Refused(422, 'VALIDATION_ERROR') : error;
  if (!(refused instanceof Refused)) console.error(error);
  reply.status(refused.status ?? 500).send(refused.body ?? { success: false });
});

function route(method, path, scope, { status = 200, answer, body, querystring }, work) {
  const known = { response: { [status]: schema(answer) }, ...(body && { body: schema(body) }), ...(querystring && { querystring }) };
  app.route({
    method,
    url: AT + path,
    schema: known,
    handler: async (request, reply) => {
      const caller = await admit(request.headers['x-api-key'], scope, request.params.organization_id);
      reply.code(status);
      return work(caller, request);
    },
  });
}

const READ = 'music:read';
const WRITE = 'music:write';
const ONE = '/:collection_id';
const id = (request) => request.params.collection_id;
route('GET', '', READ, { answer: 'CollectionPage', querystring: query(100, 50) }, (caller, { query: q }) =>
  page(caller, q.limit, q.offset));
route('POST', '', WRITE, { status: 201, answer: 'Collection', body: 'CollectionCreate' }, (caller, request) =>
  create(caller, request.body));
route('GET', ONE, READ, { answer: 'Collection' }, (caller, request) => get(caller, id(request)));
route('PATCH', ONE, WRITE, { answer: 'Collection', body: 'CollectionPatch' }, (caller, request) =>
  change(caller, id(request), request.body));
route('GET', `${ONE}/tracks`, READ, { answer: 'CollectionTrackPage', querystring: query(500, 200) }, (caller, request) =>
  tracks(caller, id(request), request.query.limit, request.query.offset));
route('PATCH', `${ONE}/order`, WRITE, { answer: 'Acknowledgement', body: 'CollectionOrder' }, (caller, request) =>
  reorder(caller, id(request), request.body.ordered_track_ids));

await app.listen({ port: Number(process.env.BENCH_PORT), host: '127.0.0.1', backlog: 2048 });
