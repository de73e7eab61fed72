import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase, Pool } from 'pg';
import type { Credits, Instant } from '#libs/contracts';
import {
  decodeAccount,
  initialAccount,
  listDue,
  STATE_VERSION,
  type Account,
  type DueItem,
  type Grant,
} from '#libs/ledger';
import { foldEntries, revisionAt } from '../history.js';
import { READ_SCHEMA, schemaName } from '../schema.js';

/** The account at a revision of its stream. */
export interface BalanceView {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly available: Credits;
  readonly reserved: Credits;
  /** Open grants in burn order. */
  readonly grants: readonly Readonly<Grant>[];
  /** What has fallen due and is not recorded yet; recorded with the account's next decision. */
  readonly due: readonly DueItem[];
  /** -1: before the first event. */
  readonly revision: number;
  /** When that revision was recorded; null before the first event. */
  readonly recorded_at: Instant | null;
}

const viewOf = (account: Account, revision: number, now: Instant): BalanceView => ({
  tenant_id: account.tenant_id,
  account_id: account.account_id,
  available: account.available,
  reserved: account.reserved,
  grants: account.grants,
  due: listDue(account, now),
  revision,
  recorded_at: account.now,
});

type Ids = Pick<Account, 'tenant_id' | 'account_id'>;

/** The balance that is projected; `now` decides what is due. Undefined for an unknown account. */
export async function balance(
  pool: Pool,
  tenant_id: string,
  account_id: string,
  now: Instant,
  schema: string = READ_SCHEMA,
): Promise<BalanceView | undefined> {
  const { rows } = await pool.query<
    Ids & { revision: bigint; state_version: number; state: string }
  >(
    `select tenant_id, account_id, revision, state_version, state
     from ${schemaName(schema)}.accounts where tenant_id = $1 and account_id = $2`,
    [tenant_id, account_id],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const revision = Number(row.revision);
  const account =
    row.state_version === STATE_VERSION
      ? decodeAccount(row.tenant_id, row.account_id, row.state)
      : await foldEntries(pool, schema, row, revision);
  return viewOf(account, revision, now);
}

/** A moment of an account: a revision of its stream, or a time. */
export type AsOf = { readonly revision: number } | { readonly instant: Instant };

/**
 * The balance as it was: folded from the nearest snapshot, so from fewer than a thousand events. What
 * is due is shown for that instant, or for the time at which that revision was recorded. A moment before
 * the first event gives revision -1; one that is not projected yet gives the last, whose revision is
 * then lower than the one asked for. Undefined for an unknown account.
 */
export async function balanceAsOf(
  pool: Pool,
  tenant_id: string,
  account_id: string,
  as_of: AsOf,
  schema: string = READ_SCHEMA,
): Promise<BalanceView | undefined> {
  const ids = { tenant_id, account_id } as Ids;
  const last = await projectedRevision(pool, tenant_id, account_id, schema);
  if (last === -1) return undefined;
  const revision =
    'revision' in as_of
      ? Math.max(-1, Math.min(as_of.revision, last))
      : await revisionAt(pool, schema, ids, last, as_of.instant);
  if (revision === -1) return viewOf(initialAccount(ids.tenant_id, ids.account_id), -1, BEFORE);
  const account = await foldEntries(pool, schema, ids, revision);
  return viewOf(account, revision, 'instant' in as_of ? as_of.instant : account.now!);
}

const BEFORE = '0000-01-01T00:00:00.000Z' as Instant;

/** The account's last projected revision; -1 for an unknown account. */
export async function projectedRevision(
  pool: Pool | ClientBase,
  tenant_id: string,
  account_id: string,
  schema: string = READ_SCHEMA,
): Promise<number> {
  const { rows } = await pool.query<{ revision: bigint }>(
    `select revision from ${schemaName(schema)}.accounts where tenant_id = $1 and account_id = $2`,
    [tenant_id, account_id],
  );
  return Number(rows[0]?.revision ?? -1);
}

const WAIT_MS = 5_000;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/**
 * Waits until an account's revision is projected, so that a caller reads its own write. False when it
 * is not within the time (5 s unless said otherwise). Asks again after 5, 10, 20 … 100 ms.
 */
export async function waitForRevision(
  pool: Pool,
  tenant_id: string,
  account_id: string,
  revision: number,
  { timeout_ms = WAIT_MS, schema = READ_SCHEMA }: { timeout_ms?: number; schema?: string } = {},
): Promise<boolean> {
  const deadline = performance.now() + timeout_ms;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if ((await projectedRevision(pool, tenant_id, account_id, schema)) >= revision) return true;
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left));
  }
}
