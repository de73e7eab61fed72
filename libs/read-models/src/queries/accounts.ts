import type { Pool } from 'pg';
import { ID_PATTERN, type Credits, type Instant } from '#libs/contracts';
import { keyOfCursor, limitOf, pageOf, type Page, type PageRequest } from '../page.js';
import { OPS_SCHEMA, READ_SCHEMA, schemaName } from '../schema.js';

interface AccountSummary {
  readonly account_id: string;
  readonly available: Credits;
  readonly reserved: Credits;
  readonly revision: number;
  /** When something on it falls due next. */
  readonly next_due_at: Instant | null;
}

/** A tenant's accounts in the order of their ids. */
export async function accounts(
  pool: Pool,
  tenant_id: string,
  page: PageRequest = {},
  schema: string = READ_SCHEMA,
): Promise<Page<AccountSummary>> {
  const limit = limitOf(page);
  const { rows } = await pool.query<Omit<AccountSummary, 'revision'> & { revision: bigint }>(
    `select account_id, available, reserved, revision, next_due_at
     from ${schemaName(schema)}.accounts
     where tenant_id = $1 and account_id > coalesce($2::text, '')
     order by account_id limit $3::int8`,
    [tenant_id, keyOfCursor(page, ID_PATTERN), limit + 1],
  );
  const items = rows.map((row) => ({ ...row, revision: Number(row.revision) }));
  return pageOf(items, limit, (account) => account.account_id);
}

export interface DueAccount {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly next_due_at: Instant;
}

/** Which of the accounts with something due: at or before an instant, behind another account. */
export interface DueRange {
  readonly before: Instant;
  readonly after?: DueAccount | undefined;
  readonly limit: number;
}

/**
 * Accounts of all tenants with something due, the longest due first, then by tenant and account. Parked
 * ones are left out: nothing is decided on them.
 */
export async function dueAccounts(
  pool: Pool,
  { before, after, limit }: DueRange,
  schema: string = READ_SCHEMA,
): Promise<DueAccount[]> {
  const { rows } = await pool.query<DueAccount>(
    `select tenant_id, account_id, next_due_at from ${schemaName(schema)}.accounts a
     where next_due_at <= $1::timestamptz
       and (next_due_at, tenant_id, account_id)
           > (coalesce($3::timestamptz, '-infinity'), coalesce($4::text, ''), coalesce($5::text, ''))
       and not exists (select from ${OPS_SCHEMA}.parked_accounts p
                       where (p.tenant_id, p.account_id) = (a.tenant_id, a.account_id))
     order by next_due_at, tenant_id, account_id limit $2::int8`,
    [before, limit, after?.next_due_at, after?.tenant_id, after?.account_id],
  );
  return rows;
}
