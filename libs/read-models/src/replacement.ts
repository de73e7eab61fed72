import type { ClientBase, Pool } from 'pg';
import type { Checkpoint } from './checkpoint.js';
import { differingTables, digestIn, type Digest } from './digest.js';
import { READ_SCHEMA, schemaName, type ReadTable } from './schema.js';

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

export interface Replacement {
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
    if (replaced) await rename(client, live, next);
    await client.query('commit');
    client.release();
    return { replaced, differing, ...digests };
  } catch (error) {
    client.release(true); // closing the connection ends the transaction, whatever state it is in
    throw error;
  }
}

/** Projectors that want to move it wait until the client's transaction ends. */
async function holdCheckpoint(client: ClientBase, schema: string): Promise<Checkpoint | null> {
  const { rows } = await client.query<Checkpoint | { position: null }>(
    `select position, event_id from ${schemaName(schema)}.checkpoint
     where name = 'ledger' for update`,
  );
  const row = rows[0]!;
  return row.position === null ? null : row;
}

async function rename(client: ClientBase, live: string, next: string): Promise<void> {
  const previous = schemaName(`${live}_previous`);
  await client.query(`drop schema if exists ${previous} cascade`);
  await client.query(`alter schema ${schemaName(live)} rename to ${previous}`);
  await client.query(`alter schema ${schemaName(next)} rename to ${live}`);
}
