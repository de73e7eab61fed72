import type { Pool } from 'pg';
import { decodeAccountEvent, InvariantBroken, type Instant } from '#libs/contracts';
import { decodeAccount, evolve, initialAccount, STATE_VERSION, type Account } from '#libs/ledger';
import { schemaName } from './schema.js';

const PAGE = 1_000;

type AccountIds = Pick<Account, 'tenant_id' | 'account_id'>;

/**
 * The account as it was at a revision: the nearest snapshot before it and the events since, fewer than
 * a thousand unless the snapshots are of another STATE_VERSION.
 * Throws InvariantBroken when an event is missing.
 */
export async function foldEntries(
  pool: Pool,
  schema: string,
  ids: AccountIds,
  revision: number,
): Promise<Account> {
  const start = await snapshotBefore(pool, schema, ids, revision);
  const { account } = start;
  let at = start.revision;
  while (at < revision) {
    const { rows } = await pool.query<{ revision: bigint; data: string }>(
      `select revision, data from ${schemaName(schema)}.entries
       where tenant_id = $1 and account_id = $2 and revision > $3 and revision <= $4
       order by revision`,
      [ids.tenant_id, ids.account_id, at, Math.min(revision, at + PAGE)],
    );
    for (const row of rows) {
      if (Number(row.revision) !== at + 1) break;
      evolve(account, decodeAccountEvent(row.data));
      at += 1;
    }
    if (rows.length > 0 && Number(rows.at(-1)!.revision) === at) continue;
    throw new InvariantBroken(`${ids.tenant_id}/${ids.account_id}: no entry ${at + 1}`);
  }
  return account;
}

async function snapshotBefore(
  pool: Pool,
  schema: string,
  { tenant_id, account_id }: AccountIds,
  revision: number,
): Promise<{ account: Account; revision: number }> {
  const { rows } = await pool.query<{ revision: bigint; state: string }>(
    `select revision, state from ${schemaName(schema)}.snapshots
     where tenant_id = $1 and account_id = $2 and revision <= $3 and state_version = $4
     order by revision desc limit 1`,
    [tenant_id, account_id, revision, STATE_VERSION],
  );
  const [row] = rows;
  if (row === undefined) return { account: initialAccount(tenant_id, account_id), revision: -1 };
  const account = decodeAccount(tenant_id, account_id, row.state);
  return { account, revision: Number(row.revision) };
}

/**
 * The last revision up to `last` that was recorded at or before an instant; -1 when none was. An
 * account's recorded_at never decreases with its revision, so this looks as in a phone book: some
 * twenty single rows among a million.
 */
export async function revisionAt(
  pool: Pool,
  schema: string,
  ids: AccountIds,
  last: number,
  instant: Instant,
): Promise<number> {
  let [low, high] = [-1, last];
  while (low < high) {
    const middle = low + Math.ceil((high - low) / 2);
    if ((await recordedAt(pool, schema, ids, middle)) <= instant) low = middle;
    else high = middle - 1;
  }
  return low;
}

async function recordedAt(
  pool: Pool,
  schema: string,
  { tenant_id, account_id }: AccountIds,
  revision: number,
): Promise<Instant> {
  const { rows } = await pool.query<{ data: string }>(
    `select data from ${schemaName(schema)}.entries
     where tenant_id = $1 and account_id = $2 and revision = $3`,
    [tenant_id, account_id, revision],
  );
  if (rows[0] !== undefined) return decodeAccountEvent(rows[0].data).recorded_at;
  throw new InvariantBroken(`${tenant_id}/${account_id}: no entry ${revision}`);
}
