import { dayOf, type PricedLine, type UsageItem, type UsageRejected } from '#libs/contracts';

/** What one batch adds to one row of rejection_totals. */
export interface RejectionTotal {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly period: string;
  readonly day: string;
  readonly reason: string;
  readonly operation: string;
  /** Requests with a line of this operation, and those whose first line it is. */
  requests: number;
  first_of_requests: number;
  lines: number;
  quantity: bigint;
  /** What the lines would have cost; 0 for those that could not be priced. */
  credits: bigint;
}

/** Adds the event's lines, or what was asked for when it could not be priced, to the totals. */
export function addToRejections(totals: Map<string, RejectionTotal>, event: UsageRejected): void {
  const seen = new Set<RejectionTotal>();
  const lines: readonly (PricedLine | UsageItem)[] =
    event.lines.length > 0 ? event.lines : (event.items ?? []);
  for (const line of lines) {
    const total = totalOf(totals, event, line.operation);
    if (seen.size === 0) total.first_of_requests += 1;
    if (!seen.has(total)) total.requests += 1;
    seen.add(total);
    total.lines += 1;
    total.quantity += BigInt(line.quantity);
    if ('credits' in line) total.credits += line.credits;
  }
}

function totalOf(
  totals: Map<string, RejectionTotal>,
  { tenant_id, account_id, period, occurred_at, reason }: UsageRejected,
  operation: string,
): RejectionTotal {
  const day = dayOf(occurred_at);
  // No id holds a slash.
  const key = `${tenant_id}/${account_id}/${period}/${day}/${reason}/${operation}`;
  const known = totals.get(key);
  if (known !== undefined) return known;
  const total: RejectionTotal = {
    tenant_id,
    account_id,
    period,
    day,
    reason,
    operation,
    requests: 0,
    first_of_requests: 0,
    lines: 0,
    quantity: 0n,
    credits: 0n,
  };
  totals.set(key, total);
  return total;
}
