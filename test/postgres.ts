import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { createPool } from '#libs/platform';
import { kept } from './kept.js';

export interface TestDatabase {
  readonly url: string;
  /** As the programs make it: int8 is bigint, timestamptz is ISO text. */
  readonly pool: pg.Pool;
  /** Ends the pool and drops the database, whoever is connected. */
  drop(): Promise<void>;
}

/** An empty database on POSTGRES_URL, or on the test run's own server. */
export async function freshDatabase(): Promise<TestDatabase> {
  const server_url = await serverUrl();
  const name = `usage_ledger_test_${randomBytes(8).toString('hex')}`;
  await administer(server_url, `create database ${name} template template0 strategy file_copy`);
  const url = new URL(server_url);
  url.pathname = `/${name}`;
  const pool = createPool(url.href, { application_name: 'test', max_connections: 10 });
  const drop = async () => {
    await pool.end();
    await administer(server_url, `drop database ${name} with (force)`);
  };
  return { url: url.href, pool, drop };
}

/** Runs `during` while the table is locked, and gives what it returned after that. */
export async function whileLocked<T>(
  pool: pg.Pool,
  table: string,
  mode: 'exclusive' | 'access exclusive',
  during: () => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(`lock table ${table} in ${mode} mode`);
    return await during();
  } finally {
    await client.query('rollback');
    client.release();
  }
}

async function administer(server_url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server_url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

const serverUrl = async (): Promise<string> => process.env['POSTGRES_URL'] ?? kept('postgres');

/** Of the embedded Postgres whose data lies in the data directory, while it runs. */
export async function postmasterPid(data_dir: string): Promise<number> {
  const text = await readFile(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8');
  return Number.parseInt(text, 10);
}
