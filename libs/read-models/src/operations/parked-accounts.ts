import type { Pool } from 'pg';
import { storableText, type Instant, type MessageCoordinate } from '#libs/contracts';
import { OPS_SCHEMA } from '../schema.js';

export interface AccountToPark {
  readonly tenant_id: string;
  readonly account_id: string;
  /** What went wrong, for a person. */
  readonly reason: string;
  /** The request that could not be decided. */
  readonly source: MessageCoordinate;
}

interface ParkedAccount extends AccountToPark {
  readonly parked_at: Instant;
}

/** Sets an account's requests aside from now on. The first reason stands, however often it is parked. */
export async function parkAccount(pool: Pool, account: AccountToPark): Promise<void> {
  const { tenant_id, account_id, reason, source } = account;
  await pool.query(
    `insert into ${OPS_SCHEMA}.parked_accounts
       (tenant_id, account_id, reason, topic, partition, "offset")
     values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, account_id) do nothing`,
    [tenant_id, account_id, storableText(reason), source.topic, source.partition, source.offset],
  );
}

/** All of them, the longest parked first; meant to be few. */
export async function parkedAccounts(pool: Pool): Promise<ParkedAccount[]> {
  const { rows } = await pool.query<
    Omit<ParkedAccount, 'source'> & { topic: string; partition: number; offset: bigint }
  >(
    `select tenant_id, account_id, reason, topic, partition, "offset", parked_at
     from ${OPS_SCHEMA}.parked_accounts order by parked_at, tenant_id, account_id`,
  );
  return rows.map(({ topic, partition, offset, ...parked }) => ({
    ...parked,
    source: { topic, partition, offset: Number(offset) },
  }));
}

/** Takes its requests again. False when it was not parked. */
export async function unparkAccount(
  pool: Pool,
  tenant_id: string,
  account_id: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `delete from ${OPS_SCHEMA}.parked_accounts where tenant_id = $1 and account_id = $2`,
    [tenant_id, account_id],
  );
  return rowCount === 1;
}
