import { createHash } from 'node:crypto';
import type pg from 'pg';

/** One step of a schema's history. Never edited or removed once released: append another. */
export interface Migration {
  readonly name: string;
  /** Runs with the schema first in the search_path; bodies of functions must qualify names. */
  readonly sql: string;
}

const LOCK_CLASS = 0x6d696772;
/** In ms, the longest that a timer can be: to pg 0 would mean the pool's own deadline. */
const NO_DEADLINE_MS = 2 ** 31 - 1;

/** What fills a table takes as long as there are rows, and whoever starts meanwhile waits for it. */
const unhurried = (text: string, values?: unknown[]) => ({
  text,
  ...(values && { values }),
  query_timeout: NO_DEADLINE_MS,
});

/**
 * Brings a schema to the last migration, in one transaction, whoever else starts at the same time.
 * Throws when the database holds other migrations than these: edited, reordered, or of a newer program.
 */
export async function migrate(
  pool: pg.Pool,
  schema: string,
  migrations: readonly Migration[],
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const text = 'select pg_advisory_xact_lock($1, hashtext($2))';
    await client.query(unhurried(text, [LOCK_CLASS, schema]));
    await applyPending(client, schema, migrations);
    await client.query('commit');
    client.release();
  } catch (error) {
    client.release(true); // closing the connection rolls back, whatever state it is in
    throw error;
  }
}

async function applyPending(
  client: pg.ClientBase,
  schema: string,
  migrations: readonly Migration[],
): Promise<void> {
  const name = client.escapeIdentifier(schema);
  await client.query(`create schema if not exists ${name}`);
  await client.query(`create table if not exists ${name}.migration (
    number int primary key, name text not null, sha256 text not null,
    applied_at timestamptz not null default now())`);
  await client.query(`set local search_path to ${name}, public`);
  const { rows } = await client.query<{ name: string; sha256: string }>(
    `select name, sha256 from ${name}.migration order by number`,
  );
  if (rows.length > migrations.length) {
    throw new Error(`schema ${schema} was migrated by a newer version of this program`);
  }
  for (const [number, migration] of migrations.entries()) {
    const applied = rows[number];
    const sha256 = createHash('sha256').update(migration.sql).digest('hex');
    if (applied === undefined) {
      await client.query(unhurried(migration.sql));
      await client.query(
        `insert into ${name}.migration (number, name, sha256) values ($1, $2, $3)`,
        [number, migration.name, sha256],
      );
    } else if (applied.name !== migration.name || applied.sha256 !== sha256) {
      throw new Error(
        `schema ${schema}: migration ${number} is ${migration.name} here, ` +
          `but ${applied.name} with other SQL was applied`,
      );
    }
  }
}
