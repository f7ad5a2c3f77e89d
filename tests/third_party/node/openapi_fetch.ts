// Drives openapi-fetch with the types of openapi-typescript; prints what happened as JSON.
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/schema.js';

const { URL: baseUrl = '', API_KEY: key = '', ORGANIZATION: organization_id = '' } = process.env;
const client = createClient<paths>({ baseUrl, headers: { 'X-API-Key': key } });
const home = { organization_id };
const MISSING = 'mcoll_000000000000';

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the request failed');
  return value;
}

const body: components['schemas']['CollectionCreate'] = { name: 'Focus Sessions', description: 'For deep work' };
const header = { 'Idempotency-Key': crypto.randomUUID() };
const create = async () =>
  must((await client.POST('/music/{organization_id}/collections', { params: { path: home, header }, body })).data);
const made = await create();
const again = await create();

const path = { ...home, collection_id: made.id };
const one = '/music/{organization_id}/collections/{collection_id}';
const read = must((await client.GET(one, { params: { path } })).data);
const patched = must((await client.PATCH(one, { params: { path }, body: { description: null } })).data);
const page = must((await client.GET('/music/{organization_id}/collections', { params: { path: home } })).data);
const { error, response } = await client.GET(one, { params: { path: { ...home, collection_id: MISSING } } });

console.log(
  JSON.stringify({
    made: made.id,
    again: again.id,
    read: read.description,
    patched: patched.description,
    name: patched.name,
    listed: page.items.map((item) => item.id),
    status: response.status,
    code: error?.error.code,
    missing: error?.error.details.collection_id,
  }),
);
