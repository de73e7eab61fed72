import type { Pool } from 'pg';
import type { Credits, Instant } from '#libs/contracts';
import { projectedUpTo } from '../checkpoint.js';
import { inOneView } from '../one-view.js';
import { UnanswerableQuestion } from '../question.js';
import { READ_SCHEMA, schemaName } from '../schema.js';
import { projectedRevision } from './balance.js';

/** What is summed up, and by what. */
interface SummaryQuestion<Group> {
  /** First day (`2026-01-31`, UTC, of occurred_at) that counts. Default: the first there is. */
  readonly from?: string | undefined;
  /** First day that no longer counts. Default: none. */
  readonly to?: string | undefined;
  /** Only this account. Default: all of the tenant. */
  readonly account_id?: string | undefined;
  /** Any subset; an empty one gives one row, or none when there is nothing. */
  readonly group_by: readonly Group[];
}

interface Summary<Row> {
  /** Ordered by the dimensions. */
  readonly items: readonly Row[];
  /** The account's revision that is shown, when it is of one account. */
  readonly revision?: number;
  /** When the last event that is counted, of any account, was recorded; null before the first. */
  readonly projected_up_to: Instant | null;
}

export const MAX_SUMMARY_ROWS = 10_000;

const COLUMNS = {
  account: 'account_id',
  reason: 'reason',
  operation: 'operation',
  period: 'period',
  day: 'day',
} as const;
type Group = keyof typeof COLUMNS;
type Dimensions = { readonly [column in (typeof COLUMNS)[Group]]?: string };

export const USAGE_GROUPS = ['account', 'operation', 'period', 'day'] as const;
export type UsageQuestion = SummaryQuestion<(typeof USAGE_GROUPS)[number]>;

/** What was consumed, for one value of each dimension that was asked for. */
interface UsageRow extends Omit<Dimensions, 'reason'> {
  /** How many priced lines of requests it sums up. */
  readonly lines: number;
  readonly quantity: bigint;
  readonly credits: Credits;
}

/**
 * What was consumed. Undefined for an unknown account. Throws UnanswerableQuestion for more than
 * MAX_SUMMARY_ROWS rows.
 */
export const usageSummary = (
  pool: Pool,
  tenant_id: string,
  question: UsageQuestion,
  schema: string = READ_SCHEMA,
): Promise<Summary<UsageRow> | undefined> =>
  summarise<UsageRow>(pool, tenant_id, question, {
    table: `${schemaName(schema)}.usage_totals`,
    columns: columnsOf(USAGE_GROUPS, question),
    counts: { lines: 'lines' },
    schema,
  });

export const REJECTION_GROUPS = ['account', 'reason', 'operation', 'period', 'day'] as const;
export type RejectionQuestion = SummaryQuestion<(typeof REJECTION_GROUPS)[number]>;

/** Usage that was rejected, for one value of each dimension that was asked for. */
interface RejectionRow extends Dimensions {
  /** Each once; by operation, a request of several operations counts at each of them. */
  readonly requests: number;
  readonly lines: number;
  readonly quantity: bigint;
  /** What it would have cost; what could not be priced counts as 0. */
  readonly credits: Credits;
}

/** What was rejected: the demand that was not served. Undefined and throws as `usageSummary`. */
export const rejectionSummary = (
  pool: Pool,
  tenant_id: string,
  question: RejectionQuestion,
  schema: string = READ_SCHEMA,
): Promise<Summary<RejectionRow> | undefined> => {
  const by_operation = question.group_by.includes('operation');
  return summarise<RejectionRow>(pool, tenant_id, question, {
    table: `${schemaName(schema)}.rejection_totals`,
    columns: columnsOf(REJECTION_GROUPS, question),
    counts: { requests: by_operation ? 'requests' : 'first_of_requests', lines: 'lines' },
    schema,
  });
};

const columnsOf = <G extends Group>(groups: readonly G[], { group_by }: SummaryQuestion<G>) =>
  groups.filter((group) => group_by.includes(group)).map((group) => COLUMNS[group]);

interface Totals {
  readonly table: string;
  readonly columns: readonly string[];
  /** Columns that are summed to a number, by the name of the sum. */
  readonly counts: Readonly<Record<string, string>>;
  readonly schema: string;
}

const summarise = <Row>(
  pool: Pool,
  tenant_id: string,
  { from, to, account_id }: SummaryQuestion<unknown>,
  { table, columns, counts, schema }: Totals,
): Promise<Summary<Row> | undefined> =>
  inOneView(pool, async (client) => {
    const shown =
      account_id === undefined
        ? {}
        : { revision: await projectedRevision(client, tenant_id, account_id, schema) };
    if (shown.revision === -1) return undefined;
    const by = columns.join(', ');
    const counted = Object.entries(counts).map(
      ([name, column]) => `sum(${column})::float8 as ${name}`,
    );
    const { rows } = await client.query<Row & object>(
      `select ${[...columns, ...counted].join(', ')},
              sum(quantity) as quantity, sum(credits) as credits
       from ${table}
       where tenant_id = $1 and ($2::date is null or day >= $2) and ($3::date is null or day < $3)
         and ($4::text is null or account_id = $4)
       group by ${by || '()'} having count(*) > 0 order by ${by || '1'}
       limit ${MAX_SUMMARY_ROWS + 1}`,
      [tenant_id, from ?? null, to ?? null, account_id ?? null],
    );
    if (rows.length > MAX_SUMMARY_ROWS) {
      const message = `makes more than ${MAX_SUMMARY_ROWS} rows: ask for fewer days or dimensions`;
      throw new UnanswerableQuestion('group_by', message);
    }
    const { recorded_at } = await projectedUpTo(client, schema);
    return { items: rows, ...shown, projected_up_to: recorded_at };
  });
