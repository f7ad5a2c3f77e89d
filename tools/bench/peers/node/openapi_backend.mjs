// openapi-backend on Node's own HTTP server: the service's contract, validated by ajv.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { OpenAPIBackend } from 'openapi-backend';
import { Refused, admit, change, create, get, page, reorder, tracks } from './music.mjs';

const contract = JSON.parse(readFileSync(process.env.BENCH_CONTRACT, 'utf8'));
contract.security = [{ ApiKeyAuth: [] }];
const READ = 'music:read';
const WRITE = 'music:write';

const window = ({ query }, usual) => [Number(query.limit ?? usual), Number(query.offset ?? 0)];
const id = ({ params }) => params.collection_id;
const operations = {
  list_collections: [200, READ, (caller, request) => page(caller, ...window(request, 50))],
  create_collection: [201, WRITE, (caller, request) => create(caller, request.requestBody)],
  get_collection: [200, READ, (caller, request) => get(caller, id(request))],
  update_collection: [200, WRITE, (caller, request) => change(caller, id(request), request.requestBody)],
  list_collection_tracks: [200, READ, (caller, request) => tracks(caller, id(request), ...window(request, 200))],
  reorder_collection: [200, WRITE, (caller, request) => reorder(caller, id(request), request.requestBody.ordered_track_ids)],
};

const invalid = new Refused(422, 'VALIDATION_ERROR');
const api = new OpenAPIBackend({
  definition: contract,
  apiRoot: '/v1',
  quick: true,
  ajvOpts: { coerceTypes: true, allErrors: false },
  handlers: {
    validationFail: () => [invalid.status, invalid.body],
    notFound: () => [404, new Refused(404, 'ENDPOINT_NOT_FOUND').body],
  },
});
for (const [name, [status, scope, work]] of Object.entries(operations)) {
  api.register(name, async ({ request, security: _ }, headers) => {
    const caller = await admit(headers['x-api-key'], scope, request.params.organization_id);
    return [status, await work(caller, request)];
  });
}
await api.init();

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return parts.length ? JSON.parse(Buffer.concat(parts).toString('utf8')) : undefined;
}

async function answer(request) {
  const [path, query] = request.url.split('?', 2);
  const asked = { method: request.method, path, query, headers: request.headers, body: await body(request) };
  try {
    return await api.handleRequest(asked, request.headers);
  } catch (error) {
    if (error instanceof Refused) return [error.status, error.body];
    console.error(error);
    return [500, { success: false }];
  }
}

const server = createServer({ keepAliveTimeout: 75000 }, async (request, response) => {
  const [status, value] = await answer(request);
  const text = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
});
server.listen({ port: Number(process.env.BENCH_PORT), host: '127.0.0.1', backlog: 2048 });
