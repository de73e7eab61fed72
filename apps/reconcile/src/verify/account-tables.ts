import { schemaName } from '#libs/read-models';
import type { Cursor, ReadView } from '../read-view.js';

export interface Ids {
  readonly tenant_id: string;
  readonly account_id: string;
}

export interface AccountRow extends Ids {
  readonly revision: bigint;
  readonly available: bigint;
  readonly reserved: bigint;
  readonly chain: string;
  readonly state_version: number;
  readonly state_sha256: string;
  readonly next_due_at: string | null;
}

export interface EntryRow extends Ids {
  readonly revision: bigint;
  /** 32 hex characters. */
  readonly key: string | null;
  readonly chain: string;
  readonly data: string;
}

export interface UsageTotalRow extends Ids {
  readonly period: string;
  readonly day: string;
  readonly operation: string;
  readonly price_book_version: string;
  readonly lines: bigint;
  readonly quantity: bigint;
  readonly credits: bigint;
}

export interface GrantRow extends Ids {
  readonly period: string;
  readonly revision: bigint;
  readonly grant_id: string;
  readonly kind: string;
  readonly credits: bigint;
  readonly paid_amount_minor: bigint | null;
  readonly paid_currency: string | null;
  readonly recorded_at: string;
}

export interface RejectionTotalRow extends Ids {
  readonly period: string;
  readonly day: string;
  readonly reason: string;
  readonly operation: string;
  readonly requests: bigint;
  readonly first_of_requests: bigint;
  readonly lines: bigint;
  readonly quantity: bigint;
  readonly credits: bigint;
}

export interface RejectedGrantRow extends Ids {
  readonly revision: bigint;
  readonly request_id: string;
  readonly reason: string;
  readonly kind: string;
  readonly asked_credits: bigint;
  readonly paid_amount_minor: bigint | null;
  readonly paid_currency: string | null;
  readonly occurred_at: string;
  readonly recorded_at: string;
}

export interface SnapshotRow extends Ids {
  readonly revision: bigint;
  readonly state_version: number;
  readonly state_sha256: string;
}

/** Every table of the read models, side by side in the order of their accounts. */
export interface AccountTables {
  readonly accounts: Cursor<AccountRow>;
  readonly entries: Cursor<EntryRow>;
  readonly usage_totals: Cursor<UsageTotalRow>;
  readonly grants: Cursor<GrantRow>;
  readonly rejection_totals: Cursor<RejectionTotalRow>;
  readonly rejected_grants: Cursor<RejectedGrantRow>;
  readonly snapshots: Cursor<SnapshotRow>;
}

/** A state may be large: its hash tells as well whether it is the same. */
const STATE_SHA256 = `encode(sha256(convert_to(state, 'UTF8')), 'hex') as state_sha256`;

/** Ids are compared by their bytes, here as there. */
export async function openAccountTables(view: ReadView, schema: string): Promise<AccountTables> {
  const s = schemaName(schema);
  const ordered = (table: string, columns: string, order: string) =>
    `select tenant_id, account_id, ${columns} from ${s}.${table}
     order by tenant_id, account_id${order}`;
  return {
    accounts: await view.cursor<AccountRow>(
      ordered(
        'accounts',
        `revision, available, reserved, encode(chain, 'hex') as chain, state_version,
         ${STATE_SHA256}, next_due_at`,
        '',
      ),
    ),
    entries: await view.cursor<EntryRow>(
      ordered(
        'entries',
        `revision, encode(uuid_send(key), 'hex') as key, encode(chain, 'hex') as chain, data`,
        ', revision',
      ),
    ),
    usage_totals: await view.cursor<UsageTotalRow>(
      ordered(
        'usage_totals',
        'period, day, operation, price_book_version, lines, quantity, credits',
        ', period, day, operation, price_book_version',
      ),
    ),
    grants: await view.cursor<GrantRow>(
      ordered(
        'grants',
        `period, revision, grant_id, kind, credits, paid_amount_minor, paid_currency, recorded_at`,
        ', period, revision',
      ),
    ),
    rejection_totals: await view.cursor<RejectionTotalRow>(
      ordered(
        'rejection_totals',
        'period, day, reason, operation, requests, first_of_requests, lines, quantity, credits',
        ', period, day, reason, operation',
      ),
    ),
    rejected_grants: await view.cursor<RejectedGrantRow>(
      ordered(
        'rejected_grants',
        `revision, request_id, reason, kind, asked_credits, paid_amount_minor, paid_currency,
         occurred_at, recorded_at`,
        ', revision',
      ),
    ),
    snapshots: await view.cursor<SnapshotRow>(
      ordered('snapshots', `revision, state_version, ${STATE_SHA256}`, ', revision'),
    ),
  };
}

/** The account that comes next in any of the tables; undefined at the end of all. */
export function nextAccount(tables: AccountTables): Ids | undefined {
  let next: Ids | undefined;
  for (const { row } of Object.values(tables) as Cursor<Ids>[]) {
    if (row !== undefined && (next === undefined || isBefore(row, next))) next = row;
  }
  return next && { tenant_id: next.tenant_id, account_id: next.account_id };
}

const isBefore = (a: Ids, b: Ids): boolean =>
  a.tenant_id === b.tenant_id ? a.account_id < b.account_id : a.tenant_id < b.tenant_id;

/** The rows of one account, in their order; the cursor then stands on the next account's. */
export async function* rowsOf<Row extends Ids>(cursor: Cursor<Row>, ids: Ids): AsyncGenerator<Row> {
  for (;;) {
    const { row } = cursor;
    if (row?.tenant_id !== ids.tenant_id || row.account_id !== ids.account_id) return;
    yield row;
    await cursor.advance();
  }
}
