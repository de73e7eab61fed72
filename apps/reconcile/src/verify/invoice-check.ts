import type { Invoice } from '#libs/read-models';
import type { GrantRow, Ids, UsageTotalRow } from './account-tables.js';
import type { ExpectedRows } from './expected-rows.js';
import type { Findings } from './findings.js';

/** What invoices come to, over all that were compared. */
export interface InvoiceSums {
  invoices: number;
  lines: number;
  credits: bigint;
  purchases: number;
}

/**
 * Compares an account's invoices with what its events consumed and granted: every charge stands on
 * exactly one line of exactly one invoice, in its booked period and at its price version.
 */
export function checkInvoices(
  ids: Ids,
  invoices: readonly Invoice[],
  rows: ExpectedRows,
  sums: InvoiceSums,
  findings: Findings,
): void {
  const expected = expectedInvoices(rows);
  const add = (period: string, detail: string) =>
    findings.add({
      check: 'invoice_differs',
      detail,
      left: `account-${ids.tenant_id}/${ids.account_id}, period ${period}`,
      right: `invoice(${ids.tenant_id}, ${ids.account_id}, ${period})`,
    });
  for (const invoice of invoices) {
    sums.invoices += 1;
    sums.lines += invoice.lines.length;
    sums.credits += invoice.totals.consumed;
    sums.purchases += invoice.purchases.length;
    const booked = expected.get(invoice.period) ?? [];
    expected.delete(invoice.period);
    const detail = firstDifference(booked, amountsOf(invoice));
    if (detail !== undefined) add(invoice.period, detail);
  }
  for (const period of expected.keys()) add(period, 'there is no invoice');
}

/** What an invoice states, one text per line, purchase, grant and total. */
type Amounts = readonly string[];

function amountsOf({ lines, purchases, grants, totals }: Invoice): Amounts {
  return [
    ...lines.map((line) => lineText(line)),
    ...[...purchases, ...grants].map(({ grant_id, credits, paid }) =>
      grantText(grant_id, credits, paid && `${paid.amount_minor} ${paid.currency}`),
    ),
    totalText(totals.consumed, totals.purchased + totals.granted),
  ];
}

/** The same out of the account's events, by period. */
function expectedInvoices(rows: ExpectedRows): Map<string, Amounts> {
  const periods = new Map<string, { lines: Map<string, UsageTotalRow>; grants: GrantRow[] }>();
  const of = (period: string) => {
    const known = periods.get(period) ?? { lines: new Map<string, UsageTotalRow>(), grants: [] };
    periods.set(period, known);
    return known;
  };
  for (const total of rows.usage_totals.values()) {
    const { lines } = of(total.period);
    const key = `${total.operation}/${total.price_book_version}`;
    const line = lines.get(key);
    lines.set(key, line ? sumOf(line, total) : total);
  }
  for (const grant of rows.grants.values()) of(grant.period).grants.push(grant);
  return new Map([...periods].map(([period, booked]) => [period, amountsOfRows(booked)]));
}

const sumOf = (a: UsageTotalRow, b: UsageTotalRow): UsageTotalRow => ({
  ...a,
  lines: a.lines + b.lines,
  quantity: a.quantity + b.quantity,
  credits: a.credits + b.credits,
});

function amountsOfRows(booked: { lines: Map<string, UsageTotalRow>; grants: GrantRow[] }): Amounts {
  const lines = [...booked.lines.values()];
  const creditsOf = (parts: readonly { credits: bigint }[]) =>
    parts.reduce((sum, { credits }) => sum + credits, 0n);
  return [
    ...lines.map((line) => lineText(line)),
    ...booked.grants.map(({ grant_id, credits, paid_amount_minor, paid_currency }) =>
      grantText(grant_id, credits, paid_currency && `${paid_amount_minor} ${paid_currency}`),
    ),
    totalText(creditsOf(lines), creditsOf(booked.grants)),
  ];
}

const lineText = (line: {
  readonly operation: string;
  readonly price_book_version: string;
  readonly lines: number | bigint;
  readonly quantity: bigint;
  readonly credits: bigint;
}): string =>
  `${line.operation} at ${line.price_book_version}: ` +
  `${line.lines} lines, quantity ${line.quantity}, ${line.credits} credits`;

const grantText = (grant_id: string, credits: bigint, paid: string | null): string =>
  `grant ${grant_id}: ${credits} credits for ${paid ?? 'nothing'}`;

const totalText = (consumed: bigint, granted: bigint): string =>
  `in sum ${consumed} credits consumed, ${granted} granted`;

function firstDifference(booked: Amounts, stated: Amounts): string | undefined {
  const [events, invoice] = [new Set(booked), new Set(stated)];
  const missing = booked.find((amount) => !invoice.has(amount));
  if (missing !== undefined) return `it does not say: ${missing}`;
  const invented = stated.find((amount) => !events.has(amount));
  return invented === undefined ? undefined : `the events do not say: ${invented}`;
}
