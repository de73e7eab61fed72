import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase, Pool } from 'pg';
import type { Checkpoint } from './checkpoint.js';
import { differingTables, digestIn, type Digest } from './digest.js';
import { READ_SCHEMA, READ_TABLES, schemaName, type ReadTable } from './schema.js';

export interface ReplacementOptions {
  /** The rebuilt schema; it takes the live one's name. */
  readonly next: string;
  readonly live?: string;
  /**
   * Projects `next` on to exactly this checkpoint, which stands still meanwhile. Uses other
   * connections of the pool.
   */
  readonly catch_up: (until: Checkpoint | null) => Promise<unknown>;
  /**
   * `equal`: only when it is the same, checkpoint and all, byte for byte. `any`: whatever it holds, to
   * repair wrong tables or to follow a store that lost its tail.
   */
  readonly accept: 'equal' | 'any';
}

interface Replacement {
  readonly replaced: boolean;
  readonly differing: readonly ReadTable[];
  readonly live: Digest;
  readonly next: Digest;
}

/**
 * Puts a rebuilt schema in the place of the live one, which is kept as `<live>_previous`. While it
 * compares them, projectors wait at the live checkpoint and readers go on; afterwards projectors find
 * the checkpoint of the new schema.
 */
export async function replaceSchema(
  pool: Pool,
  { next, live = READ_SCHEMA, catch_up, accept }: ReplacementOptions,
): Promise<Replacement> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await catch_up(await holdCheckpoint(client, live));
    const digests = { live: await digestIn(client, live), next: await digestIn(client, next) };
    const differing = differingTables(digests.live, digests.next);
    const replaced = accept === 'any' || differing.length === 0;
    if (replaced) {
      await lockTables(client, live);
      await rename(client, live, next);
    }
    await client.query('commit');
    client.release();
    return { replaced, differing, ...digests };
  } catch (error) {
    client.release(true); // closing the connection ends the transaction, whatever state it is in
    throw error;
  }
}

/**
 * Projectors that want to move it wait until the client's transaction ends. They wait for the table,
 * before their statement knows which table that is: a statement that waited for the row would go on
 * to write into the tables that were replaced.
 */
async function holdCheckpoint(client: ClientBase, schema: string): Promise<Checkpoint | null> {
  const table = `${schemaName(schema)}.checkpoint`;
  await client.query(`lock table ${table} in exclusive mode`);
  const { rows } = await client.query<Checkpoint | { position: null }>(
    `select position, event_id from ${table} where name = 'ledger'`,
  );
  const row = rows[0]!;
  return row.position === null ? null : row;
}

const LOCK_ATTEMPTS = 100;
const LOCK_TIMEOUT_MS = 200;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * A statement that has looked up some of its tables and not yet the others must not find half of them
 * renamed. So the names change while nobody holds any of them. Whoever waits for us while we wait for
 * it is let go after a short time.
 */
async function lockTables(client: ClientBase, schema: string): Promise<void> {
  const tables = READ_TABLES.map((table) => `${schemaName(schema)}.${table}`).join(', ');
  await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  for (let attempt = 1; ; attempt += 1) {
    await client.query('savepoint locking');
    try {
      await client.query(`lock table ${tables} in access exclusive mode`);
      return;
    } catch (error) {
      const is_held = (error as { code?: string }).code === LOCK_NOT_AVAILABLE;
      if (!is_held || attempt === LOCK_ATTEMPTS) throw error;
      await client.query('rollback to savepoint locking');
      await sleep(Math.random() * LOCK_TIMEOUT_MS);
    }
  }
}

async function rename(client: ClientBase, live: string, next: string): Promise<void> {
  const previous = schemaName(`${live}_previous`);
  await client.query(`drop schema if exists ${previous} cascade`);
  await client.query(`alter schema ${schemaName(live)} rename to ${previous}`);
  await client.query(`alter schema ${schemaName(next)} rename to ${live}`);
}
