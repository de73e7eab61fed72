import type { Pool } from 'pg';
import { accountKey, GENESIS, idsOfKey, type AccountKey, type StreamHead } from '#libs/contracts';
import { decodeAccount, initialAccount, STATE_VERSION, type Account } from '#libs/ledger';
import { textArray } from '#libs/platform';
import { foldEntries } from '../history.js';
import { schemaName } from '../schema.js';

/** An account at its last projected event. Changed in place as events are folded. */
export interface FoldedAccount {
  readonly key: AccountKey;
  account: Account;
  head: StreamHead;
}

export const newAccount = (key: AccountKey): FoldedAccount => ({
  key,
  account: initialAccount(...idsOfKey(key)),
  head: GENESIS,
});

interface AccountRow {
  tenant_id: Account['tenant_id'];
  account_id: Account['account_id'];
  revision: bigint;
  chain: string;
  state_version: number;
  state: string;
}

/** The stored accounts among these, in one statement. One that has no row yet is not in the answer. */
export async function loadAccounts(
  pool: Pool,
  schema: string,
  keys: readonly AccountKey[],
): Promise<FoldedAccount[]> {
  const ids = keys.map(idsOfKey);
  const { rows } = await pool.query<AccountRow>(
    // The limit keeps the planner at one probe of the primary key per account, whatever it believes.
    `select a.tenant_id, a.account_id, a.revision, encode(a.chain, 'hex') as chain,
            a.state_version, a.state
     from unnest($1::text[], $2::text[]) q(tenant_id, account_id)
     cross join lateral (
       select * from ${schemaName(schema)}.accounts x
       where x.tenant_id = q.tenant_id and x.account_id = q.account_id limit 1) a`,
    [textArray(ids.map(([tenant_id]) => tenant_id)), textArray(ids.map(([, id]) => id))],
  );
  const accounts: FoldedAccount[] = [];
  for (const row of rows) accounts.push(await foldedOf(pool, schema, row));
  return accounts;
}

async function foldedOf(pool: Pool, schema: string, row: AccountRow): Promise<FoldedAccount> {
  const revision = Number(row.revision);
  const account =
    row.state_version === STATE_VERSION
      ? decodeAccount(row.tenant_id, row.account_id, row.state)
      : await foldEntries(pool, schema, row, revision);
  const key = accountKey(row.tenant_id, row.account_id);
  return { key, account, head: { revision, chain: row.chain } };
}
