// Two databases behind the same functions; SQLite answers at once, PostgreSQL is awaited.
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';

export function openSqlite(url, sql) {
  const connection = new DatabaseSync(url.replace('sqlite:///', ''));
  for (const setting of ['busy_timeout = 5000', 'journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) {
    connection.exec(`PRAGMA ${setting}`);
  }
  const ready = Object.fromEntries(
    Object.entries(sql).map(([name, text]) => [name, connection.prepare(text.replaceAll('$', '?'))]),
  );
  const many = (name, values) => ready[name].all(...values);
  const one = (name, values) => ready[name].all(...values)[0];
  function reorder(binds, plan) {
    connection.exec('BEGIN IMMEDIATE');
    try {
      const found = one('exists', binds) !== undefined;
      if (found) for (const move of plan(many('members', binds))) many('move', [...binds, ...move]);
      return found;
    } finally {
      connection.exec('COMMIT');
    }
  }
  return { one, many, reorder };
}

export function openPostgres(url, sql) {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const many = async (name, values, client = pool) => {
    const text = name === 'locked' ? `${sql.exists} FOR UPDATE` : sql[name];
    return (await client.query({ name, text, values })).rows;
  };
  const one = async (name, values, client) => (await many(name, values, client))[0];
  async function inside(client, binds, plan) {
    if (!(await one('locked', binds, client))) return false;
    for (const move of plan(await many('members', binds, client))) await many('move', [...binds, ...move], client);
    return true;
  }
  async function reorder(binds, plan) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      return await inside(client, binds, plan);
    } finally {
      await client.query('COMMIT');
      client.release();
    }
  }
  return { one, many, reorder };
}
