import type { AccountEvent, PricedLine } from '#libs/contracts';
import { arithmeticOf } from '#libs/ledger';
import type { BalanceView, Entry, Explanation, FiledDeadLetter, Invoice } from '#libs/read-models';

/** No request of today reserves credits or allows a debt, so these are what every account has. */
const NONE = 0n;

/** A balance with its open grants in burn order, and what is due but not yet recorded. */
export const balanceBody = (view: BalanceView) => ({
  account_id: view.account_id,
  available: view.available,
  reserved: view.reserved,
  overdraft_limit: NONE,
  overdraft_used: NONE,
  grants: view.grants.map((grant) => ({
    grant_id: grant.grant_id,
    kind: grant.kind,
    state: grant.state,
    remaining: grant.remaining,
    reserved: NONE,
    priority: grant.priority,
    effective_at: grant.effective_at,
    expires_at: grant.expires_at,
  })),
  due: view.due.map(({ what, due_at, grant }) => ({
    what,
    due_at,
    grant_id: grant.grant_id,
    credits: grant.remaining,
  })),
  revision: view.revision,
  recorded_at: view.recorded_at,
});

/** One line of the statement: what happened, to which credits, and what was left. */
export function entryBody({ event, revision }: Entry) {
  const lines = 'lines' in event ? event.lines : [];
  // What could not be priced has no lines: it stands there as it was asked for.
  const items = 'items' in event ? event.items : undefined;
  const [only] = onlyOf(lines) ?? onlyOf(items ?? []) ?? [];
  const unpriced = 'operation' in event ? event.operation : undefined;
  return {
    revision,
    what: event.type,
    when: event.recorded_at,
    occurred_at: event.occurred_at,
    request_id: 'request_id' in event ? event.request_id : null,
    caused_by: 'caused_by' in event ? event.caused_by : null,
    operation: unpriced ?? only?.operation ?? null,
    quantity: only?.quantity ?? null,
    lines,
    ...(items !== undefined && { items }),
    ...asRecorded(event),
    credits: 'credits' in event ? event.credits : NONE,
    allocations: 'allocations' in event ? event.allocations : [],
    balance_after: event.balance_after,
  };
}

/** What an entry tells as its event has it, and only when it has it. */
const AS_RECORDED = [
  'reason',
  'grant_id',
  'asked_credits',
  'kind',
  'state',
  'effective_at',
  'expires_at',
  'paid',
  'user_id',
  'api_key_id',
  'metadata',
  'price_book_version',
] as const;

function asRecorded(event: Partial<Record<(typeof AS_RECORDED)[number], unknown>>) {
  const present = AS_RECORDED.filter((name) => event[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, event[name]]));
}

const onlyOf = <T>(list: readonly T[]): readonly T[] | undefined =>
  list.length === 1 ? list : undefined;

/** Why a request was charged, granted or rejected: everything from one event. */
export function explanationBody(explanation: Explanation) {
  const { entry, decision, recorded_with, balance_before } = explanation;
  const { event, revision, chain } = entry;
  return {
    account_id: event.account_id,
    request_id: decision.request_id,
    decision,
    price: 'lines' in event ? priceBody(event.lines, event.price_book_version) : null,
    grants_burnt: event.type === 'UsageConsumed' ? event.allocations : [],
    balance_before,
    balance_after: event.balance_after,
    recorded_with: recorded_with.map(entryBody),
    source: event.source,
    stream: { revision, chain },
    refunds: [],
    invoice: invoiceOf(event),
    event,
  };
}

const priceBody = (lines: readonly PricedLine[], price_book_version: string) => ({
  price_book_version,
  lines: lines.map((line) => ({ ...line, arithmetic: arithmeticOf(line) })),
});

const invoiceOf = (event: AccountEvent) =>
  event.type === 'UsageConsumed' || event.type === 'CreditsGranted'
    ? {
        period: event.period,
        status: 'draft',
        href: `/v1/accounts/${event.account_id}/invoices/${event.period}`,
      }
    : null;

const CSV_COLUMNS = [
  'account_id',
  'period',
  'status',
  'kind',
  'id',
  'price_book_version',
  'quantity',
  'credits',
  'currency',
  'amount_minor',
] as const;

/** An invoice as rows of a spreadsheet, the header first. */
export function invoiceRows(invoice: Invoice): (string | bigint | number)[][] {
  const row = (fields: Partial<Record<(typeof CSV_COLUMNS)[number], string | bigint | number>>) =>
    CSV_COLUMNS.map((column) => fields[column] ?? '');
  const { account_id, period, status } = invoice;
  const common = { account_id, period, status };
  return [
    [...CSV_COLUMNS],
    ...invoice.lines.map(({ operation, price_book_version, quantity, credits }) =>
      row({ ...common, kind: 'usage', id: operation, price_book_version, quantity, credits }),
    ),
    ...[...invoice.purchases, ...invoice.grants].map(({ grant_id, credits, paid }) =>
      row({ ...common, kind: paid ? 'purchase' : 'grant', id: grant_id, credits, ...paid }),
    ),
  ];
}

/** A tenant's own dead letter. Who dismissed it and why may speak of other tenants. */
export const deadLetterBody = ({ dismissed, ...letter }: FiledDeadLetter) => ({
  ...letter,
  dismissed_at: dismissed?.at ?? null,
});
