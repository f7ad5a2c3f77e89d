// The data for the peers on Node: node:sqlite, or pg with prepared statements; the caller, the SQL and the shapes.
import { createHmac, randomBytes } from 'node:crypto';
import { openPostgres, openSqlite } from './databases.mjs';

const VIEW = 'id, name, description, cover_track_id, cover_image_url, track_count, created_at, updated_at';
const OWN = 'organization_id = $1 AND owner_id = $2 AND deleted_at IS NULL';
const IT = `${OWN} AND id = $3`;
const IN = 'organization_id = $1 AND owner_id = $2 AND collection_id = $3';
const GAP = 1_048_576;

export const SQL = {
  key: 'SELECT organization_id, user_id, scopes, state, expires_at FROM api_keys WHERE digest = $1',
  get: `SELECT ${VIEW} FROM collections WHERE ${IT}`,
  list: `SELECT ${VIEW} FROM collections WHERE ${OWN} ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4`,
  exists: `SELECT 1 FROM collections WHERE ${IT}`,
  tracks: `SELECT track_id, added_at FROM collection_tracks WHERE ${IN} ORDER BY rank LIMIT $4 OFFSET $5`,
  create: `INSERT INTO collections (organization_id, owner_id, id, name, description, cover_track_id, cover_image_url,
    track_count, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 1, $8, $8) RETURNING ${VIEW}`,
  change: `UPDATE collections SET name = $4, description = $5, cover_track_id = $6, cover_image_url = $7,
    version = version + 1, updated_at = $8 WHERE ${IT} RETURNING ${VIEW}`,
  members: `SELECT track_id, rank FROM collection_tracks WHERE ${IN} ORDER BY rank`,
  move: `UPDATE collection_tracks SET rank = $5 WHERE ${IN} AND track_id = $4`,
};

export class Refused extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
    this.body = { success: false, error: { code, status } };
  }
}

const url = process.env.BENCH_DATABASE_URL;
const pepper = process.env.BENCH_PEPPER;
const isSqlite = url.startsWith('sqlite');
const database = isSqlite ? openSqlite(url, SQL) : openPostgres(url, SQL);
const second = isSqlite ? (text) => text.slice(0, 19) + 'Z' : (date) => date.toISOString().slice(0, 19) + 'Z';
const now = isSqlite ? () => new Date().toISOString().replace('Z', '000Z') : () => new Date();

function shown(row) {
  if (!row) throw new Refused(404, 'RESOURCE_NOT_FOUND');
  return { ...row, created_at: second(row.created_at), updated_at: second(row.updated_at) };
}

export async function admit(secret, scope, organization) {
  const row = secret && (await database.one('key', [createHmac('sha256', pepper).update(secret).digest()]));
  const expired = row?.expires_at && row.expires_at <= now();
  if (!row || row.state !== 'active' || expired) throw new Refused(401, 'AUTHENTICATION_REQUIRED');
  if (!row.scopes.split(' ').includes(scope)) throw new Refused(403, 'INSUFFICIENT_PERMISSIONS');
  if (row.organization_id !== organization) throw new Refused(404, 'RESOURCE_NOT_FOUND');
  return [row.organization_id, row.user_id];
}

export const get = async (caller, id) => shown(await database.one('get', [...caller, id]));

export async function page(caller, limit, offset) {
  const rows = await database.many('list', [...caller, limit, offset]);
  return { items: rows.map((row) => ({ ...shown(row), track_count: null })), limit, offset };
}

export async function tracks(caller, id, limit, offset) {
  if (!(await database.one('exists', [...caller, id]))) throw new Refused(404, 'RESOURCE_NOT_FOUND');
  const rows = await database.many('tracks', [...caller, id, limit, offset]);
  const items = rows.map((row, index) => ({
    track_id: row.track_id, position: offset + index, added_at: second(row.added_at),
  }));
  return { collection_id: id, items, limit, offset };
}

export async function create(caller, body) {
  const id = 'mcoll_' + randomBytes(6).toString('hex');
  const { name, description = null, cover_track_id = null, cover_image_url = null } = body;
  return shown(
    await database.one('create', [...caller, id, name, description, cover_track_id, cover_image_url, now()]),
  );
}

export async function change(caller, id, body) {
  const merged = { ...shown(await database.one('get', [...caller, id])), ...body };
  const { name, description, cover_track_id, cover_image_url } = merged;
  return shown(
    await database.one('change', [...caller, id, name, description, cover_track_id, cover_image_url, now()]),
  );
}

export async function reorder(caller, id, wished) {
  const found = await database.reorder([...caller, id], (members) => moves(members, wished));
  if (!found) throw new Refused(404, 'RESOURCE_NOT_FOUND');
  return { success: true, id, detail: 'Collection reordered.' };
}

function moves(members, wished) {
  const ranks = new Map(members.map((row) => [row.track_id, Number(row.rank)]));
  const listed = new Set(wished.filter((track) => ranks.has(track)));
  const order = [...listed, ...[...ranks.keys()].filter((track) => !listed.has(track))];
  const before = [...ranks.keys()];
  if (order.every((track, index) => track === before[index])) return [];
  const low = Math.min(...ranks.values());
  return order.map((track, index) => [track, low - GAP * (order.length - index)]);
}
