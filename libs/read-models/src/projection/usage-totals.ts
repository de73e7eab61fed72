import { dayOf, type UsageConsumed } from '#libs/contracts';

/** What one batch adds to one row of usage_totals. */
export interface UsageTotal {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly period: string;
  readonly day: string;
  readonly operation: string;
  readonly price_book_version: string;
  lines: number;
  quantity: bigint;
  credits: bigint;
}

/** Adds the event's lines to the totals, which are keyed by all that tells one row from another. */
export function addToTotals(totals: Map<string, UsageTotal>, event: UsageConsumed): void {
  const { tenant_id, account_id, period, price_book_version } = event;
  const day = dayOf(event.occurred_at);
  for (const { operation, quantity, credits } of event.lines) {
    // No id holds a slash.
    const key = `${tenant_id}/${account_id}/${period}/${day}/${operation}/${price_book_version}`;
    const total = totals.get(key);
    if (total !== undefined) {
      total.lines += 1;
      total.quantity += BigInt(quantity);
      total.credits += credits;
      continue;
    }
    totals.set(key, {
      tenant_id,
      account_id,
      period,
      day,
      operation,
      price_book_version,
      lines: 1,
      quantity: BigInt(quantity),
      credits,
    });
  }
}
