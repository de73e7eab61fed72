import { hash } from 'node:crypto';
import { dayOf, type AccountEvent, type StreamHead, type UsageRejected } from '#libs/contracts';
import { encodeAccount, STATE_VERSION, type Account } from '#libs/ledger';
import { SNAPSHOT_INTERVAL } from '#libs/read-models';
import type {
  AccountRow,
  GrantRow,
  RejectedGrantRow,
  RejectionTotalRow,
  SnapshotRow,
  UsageTotalRow,
} from './account-tables.js';

/** The rows that follow from an account's events, by their key within the account. */
export interface ExpectedRows {
  readonly usage_totals: Map<string, UsageTotalRow>;
  readonly grants: Map<string, GrantRow>;
  readonly rejection_totals: Map<string, RejectionTotalRow>;
  readonly rejected_grants: Map<string, RejectedGrantRow>;
  readonly snapshots: Map<string, SnapshotRow>;
}

export const newExpectedRows = (): ExpectedRows => ({
  usage_totals: new Map(),
  grants: new Map(),
  rejection_totals: new Map(),
  rejected_grants: new Map(),
  snapshots: new Map(),
});

// No id holds a slash.
export const usageTotalKey = (row: Omit<UsageTotalRow, 'lines' | 'quantity' | 'credits'>): string =>
  [row.period, row.day, row.operation, row.price_book_version].join('/');
export const grantKey = (row: Pick<GrantRow, 'period' | 'revision'>): string =>
  `${row.period}/${row.revision}`;
type RejectionTotalId = Pick<RejectionTotalRow, 'period' | 'day' | 'reason' | 'operation'>;
export const rejectionTotalKey = (row: RejectionTotalId): string =>
  [row.period, row.day, row.reason, row.operation].join('/');
export const rejectedGrantKey = (row: Pick<RejectedGrantRow, 'revision'>): string =>
  String(row.revision);
export const snapshotKey = (row: Pick<SnapshotRow, 'revision'>): string => String(row.revision);

/** Adds what an event makes of the rows; `account` is the fold up to and with it. */
export function expectRows(
  rows: ExpectedRows,
  event: AccountEvent,
  { account, revision }: { readonly account: Account; readonly revision: number },
): void {
  expectRowsOf(rows, event, BigInt(revision));
  if ((revision + 1) % SNAPSHOT_INTERVAL !== 0) return;
  const { tenant_id, account_id } = event;
  const snapshot: SnapshotRow = {
    tenant_id,
    account_id,
    revision: BigInt(revision),
    state_version: STATE_VERSION,
    state_sha256: sha256(encodeAccount(account)),
  };
  rows.snapshots.set(snapshotKey(snapshot), snapshot);
}

function expectRowsOf(rows: ExpectedRows, event: AccountEvent, revision: bigint): void {
  const { tenant_id, account_id } = event;
  switch (event.type) {
    case 'UsageConsumed': {
      const { period, price_book_version } = event;
      const day = dayOf(event.occurred_at);
      for (const { operation, quantity, credits } of event.lines) {
        const of = { tenant_id, account_id, period, day, operation, price_book_version };
        const key = usageTotalKey(of);
        const total = rows.usage_totals.get(key);
        rows.usage_totals.set(key, {
          ...of,
          lines: (total?.lines ?? 0n) + 1n,
          quantity: (total?.quantity ?? 0n) + BigInt(quantity),
          credits: (total?.credits ?? 0n) + credits,
        });
      }
      return;
    }
    case 'CreditsGranted': {
      const { period, grant_id, kind, credits, paid, recorded_at } = event;
      const row: GrantRow = {
        tenant_id,
        account_id,
        period,
        revision,
        grant_id,
        kind,
        credits,
        paid_amount_minor: paid ? BigInt(paid.amount_minor) : null,
        paid_currency: paid?.currency ?? null,
        recorded_at,
      };
      rows.grants.set(grantKey(row), row);
      return;
    }
    case 'UsageRejected':
      expectRejection(rows.rejection_totals, event);
      return;
    case 'GrantRejected': {
      const { request_id, reason, kind, asked_credits, paid, occurred_at, recorded_at } = event;
      const row: RejectedGrantRow = {
        tenant_id,
        account_id,
        revision,
        request_id,
        reason,
        kind,
        asked_credits,
        paid_amount_minor: paid ? BigInt(paid.amount_minor) : null,
        paid_currency: paid?.currency ?? null,
        occurred_at,
        recorded_at,
      };
      rows.rejected_grants.set(rejectedGrantKey(row), row);
      return;
    }
    case 'GrantActivated':
    case 'CreditsExpired':
  }
}

/** What was asked for, operation by operation: it has a price only when all of it has one. */
function expectRejection(totals: ExpectedRows['rejection_totals'], event: UsageRejected): void {
  const { tenant_id, account_id, period, reason } = event;
  const asked = event.items ?? event.lines;
  for (const operation of new Set(asked.map((line) => line.operation))) {
    const of = { tenant_id, account_id, period, day: dayOf(event.occurred_at), reason, operation };
    const key = rejectionTotalKey(of);
    const total = totals.get(key);
    const lines = asked.filter((line) => line.operation === operation);
    const priced = event.lines.filter((line) => line.operation === operation);
    totals.set(key, {
      ...of,
      requests: (total?.requests ?? 0n) + 1n,
      first_of_requests: (total?.first_of_requests ?? 0n) + (asked[0] === lines[0] ? 1n : 0n),
      lines: (total?.lines ?? 0n) + BigInt(lines.length),
      quantity: lines.reduce((sum, { quantity }) => sum + BigInt(quantity), total?.quantity ?? 0n),
      credits: priced.reduce((sum, { credits }) => sum + credits, total?.credits ?? 0n),
    });
  }
}

/** The row of `accounts` that the whole stream makes. */
export const expectedAccountRow = (account: Account, head: StreamHead): AccountRow => ({
  tenant_id: account.tenant_id,
  account_id: account.account_id,
  revision: BigInt(head.revision),
  available: account.available,
  reserved: account.reserved,
  chain: head.chain,
  state_version: STATE_VERSION,
  state_sha256: sha256(encodeAccount(account)),
  next_due_at: account.next_due_at,
});

const sha256 = (text: string): string => hash('sha256', text, 'hex');

/**
 * What differs between a row and what follows from the stream; undefined when nothing does. A state
 * that was folded by another version of the program is not compared: nobody uses it.
 */
export function rowDifference<Row extends object>(expected: Row, row: Row): string | undefined {
  const other_version = 'state_version' in row && row.state_version !== STATE_VERSION;
  for (const [field, value] of Object.entries(expected)) {
    if (other_version && field.startsWith('state')) continue;
    const actual: unknown = row[field as keyof Row];
    if (actual !== value) return `${field} is ${String(actual)}, by the stream ${String(value)}`;
  }
  return undefined;
}
