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
       order by revision limit ${PAGE}`,
      [ids.tenant_id, ids.account_id, at, revision],
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
 * The last revision that was recorded at or before an instant; -1 when none was. An account's
 * recorded_at never decreases with its revision, so this probes the entries as in a phone book.
 * Undefined for an account without entries.
 */
export async function revisionAt(
  pool: Pool,
  schema: string,
  { tenant_id, account_id }: AccountIds,
  instant: Instant,
): Promise<number | undefined> {
  const s = schemaName(schema);
  const { rows } = await pool.query<{ revision: bigint }>(
    `with recursive search (low, high) as (
       select -1::int8, a.revision from ${s}.accounts a
       where a.tenant_id = $1 and a.account_id = $2
       union all
       select case when e.known then m.middle else b.low end,
              case when e.known then b.high else m.middle - 1 end
       from search b
       cross join lateral (select (b.low + b.high + 1) / 2 as middle) m
       cross join lateral (
         select (x.data::json ->> 'recorded_at') collate "C" <= $3 as known from ${s}.entries x
         where x.tenant_id = $1 and x.account_id = $2 and x.revision = m.middle) e
       where b.low < b.high)
     select low as revision from search where low = high`,
    [tenant_id, account_id, instant],
  );
  return rows[0] && Number(rows[0].revision);
}
