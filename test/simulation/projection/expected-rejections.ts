type Row = Readonly<Record<string, unknown>>;

interface Line {
  readonly operation: string;
  readonly quantity: number;
  readonly credits?: string;
}

/** An event as it stands in its bytes, and its place. */
export interface Placed {
  readonly ids: { readonly tenant_id: string; readonly account_id: string };
  readonly revision: bigint;
  readonly event: {
    readonly type: string;
    readonly request_id?: string;
    readonly reason?: string;
    readonly kind: string;
    readonly asked_credits?: string;
    readonly paid?: { readonly amount_minor: number; readonly currency: string };
    readonly period: string;
    readonly occurred_at: string;
    readonly recorded_at: string;
    readonly lines: readonly Line[];
    readonly items?: readonly Line[];
  };
}

export const rejectedGrants = (placed: readonly Placed[]): Row[] =>
  placed
    .filter(({ event }) => event.type === 'GrantRejected')
    .map(({ ids, revision, event }) => ({
      ...ids,
      revision,
      request_id: event.request_id,
      reason: event.reason,
      kind: event.kind,
      asked_credits: BigInt(event.asked_credits!),
      paid_amount_minor: event.paid === undefined ? null : BigInt(event.paid.amount_minor),
      paid_currency: event.paid?.currency ?? null,
      occurred_at: event.occurred_at,
      recorded_at: event.recorded_at,
    }));

/** By what the requests have in common; each line is counted under its operation. */
export function rejectionTotals(placed: readonly Placed[]): Row[] {
  const lines = placed
    .filter(({ event }) => event.type === 'UsageRejected')
    .flatMap(({ ids, revision, event }) => {
      const { period, occurred_at, reason } = event;
      const asked = event.lines.length > 0 ? event.lines : (event.items ?? []);
      return asked.map((line, index) => {
        const day = occurred_at.slice(0, 10);
        const which = { ...ids, period, day, reason, operation: line.operation };
        return { which, name: JSON.stringify(which), request: `${revision}`, line, index };
      });
    });
  return [...new Set(lines.map(({ name }) => name))].map((name) => {
    const same = lines.filter((one) => one.name === name);
    const sum = (of: (line: Line) => bigint) => same.reduce((all, { line }) => all + of(line), 0n);
    return {
      ...same[0]!.which,
      requests: BigInt(new Set(same.map(({ request }) => request)).size),
      first_of_requests: BigInt(same.filter(({ index }) => index === 0).length),
      lines: BigInt(same.length),
      quantity: sum(({ quantity }) => BigInt(quantity)),
      credits: sum(({ credits }) => BigInt(credits ?? 0)),
    };
  });
}
