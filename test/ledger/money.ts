import { costOf, type Command, type Expected, type ModelPrice } from './model.js';

/** Sums by a key in words; credits and quantities are bigint. */
export type Sums = Map<string, { count: number; quantity: bigint; credits: bigint }>;

export interface Paid {
  readonly amount_minor: number;
  readonly currency: string;
}

/** What a ModelLedger's answers come to in money: invoices and reports, from the rules alone. */
export class ModelBooks {
  /** `period operation version` → lines. */
  readonly consumed: Sums = new Map();
  /** `period reason operation` → lines; what has no price costs 0. */
  readonly rejected: Sums = new Map();
  /** `period reason` → requests, however many lines they have. */
  readonly requests_rejected: Sums = new Map();
  /** `period` → credits granted; `period currency` → minor units paid. */
  readonly granted: Sums = new Map();
  /** `currency` → minor units whose credits were refused. */
  readonly refused: Sums = new Map();
  expired = 0n;

  add(
    command: Command,
    { recorded, answer }: Expected,
    { occurred_at, version, prices, paid }: AddedWith,
  ): void {
    for (const line of recorded) {
      if (line.startsWith('expired ')) this.expired += BigInt(line.split(' ')[2]!);
    }
    const period = occurred_at.slice(0, 7);
    const [outcome, reason = ''] = answer.split(' ');
    if (command.kind === 'grant') {
      if (outcome === 'granted') addTo(this.granted, period, 1n, command.credits);
      if (paid === undefined) return;
      const minor = BigInt(paid.amount_minor);
      if (outcome === 'granted') addTo(this.granted, `${period} ${paid.currency}`, 1n, minor);
      else addTo(this.refused, paid.currency, 1n, minor);
    }
    if (command.kind !== 'usage') return;
    if (outcome === 'rejected') addTo(this.requests_rejected, `${period} ${reason}`, 0n, 0n);
    for (const [operation, quantity] of command.items) {
      const price = prices.get(operation);
      const cost = price === undefined ? 0n : costOf(BigInt(quantity), price);
      if (outcome === 'consumed') {
        addTo(this.consumed, `${period} ${operation} ${version}`, BigInt(quantity), cost);
      } else {
        const refused = reason === 'insufficient_credits' ? cost : 0n;
        addTo(this.rejected, `${period} ${reason} ${operation}`, BigInt(quantity), refused);
      }
    }
  }
}

interface AddedWith {
  readonly occurred_at: string;
  readonly version: string;
  readonly prices: ReadonlyMap<string, ModelPrice>;
  readonly paid: Paid | undefined;
}

export function addTo(sums: Sums, key: string, quantity: bigint, credits: bigint, count = 1): void {
  const sum = sums.get(key) ?? { count: 0, quantity: 0n, credits: 0n };
  sum.count += count;
  sum.quantity += quantity;
  sum.credits += credits;
  sums.set(key, sum);
}
