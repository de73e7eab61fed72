import type { Pool } from 'pg';
import type { Credits } from '#libs/contracts';
import { UnanswerableQuestion } from '../question.js';
import { READ_SCHEMA, schemaName } from '../schema.js';

export const USAGE_GROUPS = ['account', 'operation', 'day'] as const;
type UsageGroup = (typeof USAGE_GROUPS)[number];

const COLUMNS: Readonly<Record<UsageGroup, string>> = {
  account: 'account_id',
  operation: 'operation',
  day: 'day',
};

export interface UsageQuestion {
  /** First day (`2026-01-31`, UTC, of occurred_at) that counts. Default: the first there is. */
  readonly from?: string | undefined;
  /** First day that no longer counts. Default: none. */
  readonly to?: string | undefined;
  /** Any subset; an empty one gives one row, or none when nothing was used. */
  readonly group_by: readonly UsageGroup[];
}

/** What was consumed, for one value of each dimension that was asked for. */
interface UsageRow {
  readonly account_id?: string;
  readonly operation?: string;
  readonly day?: string;
  readonly lines: number;
  readonly quantity: bigint;
  readonly credits: Credits;
}

export const MAX_USAGE_ROWS = 10_000;

/** Ordered by the dimensions. Throws UnanswerableQuestion for more than MAX_USAGE_ROWS rows. */
export async function usageSummary(
  pool: Pool,
  tenant_id: string,
  { from, to, group_by }: UsageQuestion,
  schema: string = READ_SCHEMA,
): Promise<UsageRow[]> {
  const columns = USAGE_GROUPS.filter((group) => group_by.includes(group)).map(
    (group) => COLUMNS[group],
  );
  const { rows } = await pool.query<UsageRow & { lines: bigint }>(
    `select ${[...columns, ''].join(', ')}
            sum(lines) as lines, sum(quantity) as quantity, sum(credits) as credits
     from ${schemaName(schema)}.usage_totals
     where tenant_id = $1 and ($2::date is null or day >= $2) and ($3::date is null or day < $3)
     group by ${columns.length > 0 ? columns.join(', ') : '()'}
     having count(*) > 0
     order by ${columns.length > 0 ? columns.join(', ') : '1'}
     limit ${MAX_USAGE_ROWS + 1}`,
    [tenant_id, from ?? null, to ?? null],
  );
  if (rows.length > MAX_USAGE_ROWS) {
    const message = `makes more than ${MAX_USAGE_ROWS} rows: ask for fewer days or dimensions`;
    throw new UnanswerableQuestion('group_by', message);
  }
  return rows.map((row) => ({ ...row, lines: Number(row.lines) }));
}
