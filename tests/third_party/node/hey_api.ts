// Drives the client of @hey-api/openapi-ts; prints what happened as JSON.
import { createClient } from './generated/hey/client/index.js';
import * as api from './generated/hey/sdk.gen.js';
import type { CollectionCreate } from './generated/hey/types.gen.js';

const { URL: baseUrl = '', API_KEY: key = '', ORGANIZATION: organization_id = '' } = process.env;
const client = createClient({ baseUrl, headers: { 'X-API-Key': key } });
const MISSING = 'mcoll_000000000000';

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the request failed');
  return value;
}

const body: CollectionCreate = { name: 'Focus Sessions', description: 'For deep work' };
const headers = { 'Idempotency-Key': crypto.randomUUID() };
const home = { organization_id };
const create = async () => must((await api.createCollection({ client, path: home, headers, body })).data);
const made = await create();
const again = await create();

const path = { ...home, collection_id: made.id };
const read = must((await api.getCollection({ client, path })).data);
const patched = must((await api.updateCollection({ client, path, body: { description: null } })).data);
const page = must((await api.listCollections({ client, path: home })).data);
const missed = await api.getCollection({ client, path: { ...home, collection_id: MISSING } });

console.log(
  JSON.stringify({
    made: made.id,
    again: again.id,
    read: read.description,
    patched: patched.description,
    name: patched.name,
    listed: page.items.map((item) => item.id),
    status: missed.response?.status,
    code: missed.error?.error.code,
    missing: missed.error?.error.details.collection_id,
  }),
);
