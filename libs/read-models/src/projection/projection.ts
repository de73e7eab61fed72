import type { Pool } from 'pg';
import {
  accountKeyOfStream,
  InvariantBroken,
  type AccountKey,
  type Instant,
} from '#libs/contracts';
import { projectedUpTo, type Checkpoint } from '../checkpoint.js';
import { READ_SCHEMA, requireOwnTables } from '../schema.js';
import { AccountCache } from './account-cache.js';
import { foldBatch } from './fold-batch.js';
import { loadAccounts, newAccount, type FoldedAccount } from './folded-account.js';
import type { StoredEvent } from './projected-event.js';
import { requireRepeated } from './repeated-events.js';
import type { Rows } from './rows.js';
import { writeRows } from './write-rows.js';

/** Another projector moved the checkpoint, or migrated the tables: load it and go on from there. */
export class CheckpointMoved extends Error {
  override readonly name = 'CheckpointMoved';
}

export interface Applied {
  /** Events that were new; the others were projected before and changed nothing. */
  readonly events: number;
  /** Rows of `accounts` that were written. */
  readonly accounts: number;
  readonly checkpoint: Checkpoint | null;
  /** When the last new event was decided; null when none was new. */
  readonly recorded_at: Instant | null;
}

/** Writes the read models. After any rejection it stands still until loadCheckpoint is called. */
export interface Projection {
  /**
   * Where to read on; null: from the beginning. Waits for what is being written, forgets the rest.
   * Rejects when another version of this program has migrated the tables.
   */
  loadCheckpoint(): Promise<Checkpoint | null>;
  /**
   * Projects the next events of the global order, at most MAX_PROJECTION_BATCH, in one transaction
   * with the checkpoint. May be called again before it resolves: the next batch is folded while this
   * one is written. Rejects with CheckpointMoved when somebody else projected meanwhile, and with
   * InvariantBroken when the events do not continue what is projected; then nothing was written.
   */
  apply(batch: readonly StoredEvent[]): Promise<Applied>;
}

/** So that no total of one batch can outgrow a bigint. */
const MAX_PROJECTION_BATCH = 4_000;

const DEFAULT_CACHE_WEIGHT = 200_000;

export interface ProjectionOptions {
  readonly schema?: string;
  /** Most accounts plus open grants that are kept in memory between batches. */
  readonly cache_weight?: number;
}

interface Folded {
  readonly rows: Rows;
  readonly accounts: ReadonlyMap<AccountKey, FoldedAccount>;
  readonly from: Checkpoint | null;
  readonly to: Checkpoint | null;
}

export function createProjection(pool: Pool, options: ProjectionOptions = {}): Projection {
  const { schema = READ_SCHEMA, cache_weight = DEFAULT_CACHE_WEIGHT } = options;
  const cache = new AccountCache(cache_weight);
  const unloaded = Promise.reject<never>(new Error('call loadCheckpoint before apply'));
  unloaded.catch(() => {});

  /** Where the folded batches end, written or not. */
  let tip: Checkpoint | null = null;
  let folding: Promise<unknown> = unloaded;
  let writing: Promise<unknown> = unloaded;

  async function accountsOf(batch: readonly StoredEvent[]) {
    const accounts = new Map<AccountKey, FoldedAccount>();
    const missing = new Map<AccountKey, FoldedAccount>();
    for (const { stream } of batch) {
      const key = accountKeyOfStream(stream);
      if (accounts.has(key) || missing.has(key)) continue;
      const cached = cache.get(key);
      if (cached === undefined) missing.set(key, newAccount(key));
      else accounts.set(key, cached);
    }
    if (missing.size > 0) {
      const stored = await loadAccounts(pool, schema, [...missing.keys()]);
      for (const folded of stored) missing.set(folded.key, folded);
      for (const [key, folded] of missing) accounts.set(key, folded);
    }
    return accounts;
  }

  async function fold(batch: readonly StoredEvent[]): Promise<Folded> {
    const accounts = await accountsOf(batch);
    const rows = foldBatch(accounts, batch);
    const from = tip;
    if (rows.last !== undefined) {
      tip = { position: rows.last.position, event_id: rows.last.event_id };
    }
    cache.hold(accounts.values());
    return { rows, accounts, from, to: tip };
  }

  async function write({ rows, accounts, from, to }: Folded): Promise<Applied> {
    await requireRepeated(pool, schema, rows);
    if (rows.last !== undefined && !(await writeAll(rows, from, to!))) {
      throw new CheckpointMoved('another projector moved the checkpoint');
    }
    cache.release(accounts.values());
    return {
      events: rows.entries.length,
      accounts: rows.accounts.length,
      checkpoint: to,
      recorded_at: rows.recorded_at ?? null,
    };
  }

  async function writeAll(rows: Rows, from: Checkpoint | null, to: Checkpoint): Promise<boolean> {
    try {
      return await writeRows(pool, schema, rows, { from, to });
    } catch (error) {
      throw contradictionIn(error) ?? error;
    }
  }

  return {
    async loadCheckpoint() {
      await Promise.allSettled([folding, writing]);
      cache.clear();
      await requireOwnTables(pool, schema);
      const { checkpoint } = await projectedUpTo(pool, schema);
      tip = checkpoint;
      folding = writing = Promise.resolve();
      return checkpoint;
    },

    apply(batch) {
      if (batch.length > MAX_PROJECTION_BATCH) {
        throw new RangeError(`a batch of ${batch.length}, at most ${MAX_PROJECTION_BATCH}`);
      }
      const folded = folding.then(() => fold(batch));
      folded.catch(() => {}); // awaited below, perhaps only after it has failed
      folding = folded;
      const applied = writing.then(async () => write(await folded));
      writing = applied;
      return applied;
    },
  };
}

/** A constraint violated or a number out of range: the tables and the events contradict each other. */
function contradictionIn(error: unknown): InvariantBroken | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!CONTRADICTIONS.includes(code.slice(0, 2))) return undefined;
  return new InvariantBroken(`the read models refuse it: ${(error as Error).message}`, {
    cause: error,
  });
}

/** SQLSTATE classes: data exception, integrity constraint violation. */
const CONTRADICTIONS = ['22', '23'];
