import fc from 'fast-check';
import { type PriceBook } from '#libs/contracts';
import type { Command, ModelPrice } from './model.js';
import { minutes } from './requests.js';

/** Prices of every kind: whole, in bundles with each rounding, with a fixed part, and enormous. */
const prices: Readonly<Record<string, ModelPrice>> = {
  text: { credits: 1n, per: 1n, rounding: 'up', fixed: 0n },
  even: { credits: 7n, per: 2n, rounding: 'half_even', fixed: 0n },
  down: { credits: 1n, per: 4n, rounding: 'down', fixed: 0n },
  up: { credits: 5n, per: 3n, rounding: 'up', fixed: 2n },
  vast: { credits: 10n ** 15n, per: 1n, rounding: 'up', fixed: 0n },
};

export const MODEL_PRICES = new Map(Object.entries(prices));

export const COMMAND_PRICES = {
  version: 'commands',
  effective_from: '1970-01-01T00:00:00.000Z',
  prices: Object.fromEntries(
    Object.entries(prices).map(([operation, { credits, per, rounding, fixed }]) => [
      operation,
      { credits, per: Number(per), rounding, ...(fixed > 0n && { fixed }) },
    ]),
  ),
} as unknown as PriceBook;

/** A command with the broker's stamp, in minutes after NOON. */
export interface Sent {
  readonly command: Command;
  readonly stamp: string;
}

const weighted = <T>(...choices: [weight: number, value: T][]) =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));

/** Few ids, so that one comes again with other content. */
const id = fc.integer({ min: 0, max: 30 }).map((n) => `r${n}`);

const item = fc.tuple(
  weighted([6, 'text'], [3, 'even'], [3, 'down'], [3, 'up'], [1, 'vast'], [1, 'constructor']),
  fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 12 }) }, fc.constant(10 ** 12)),
);
const items = fc.array(item, { minLength: 1, maxLength: 3, size: 'max' });

const credits = fc.oneof(
  { weight: 12, arbitrary: fc.bigInt(1n, 30n) },
  { weight: 1, arbitrary: fc.constant(10n ** 15n) },
);
/** Minutes from the stamp: few values, so that instants meet. */
const soon = fc.integer({ min: -2, max: 5 });

type Draft = { step: number; again: number } & (
  | { kind: 'usage'; id: string; items: [string, number][] }
  | {
      kind: 'grant';
      id: string;
      credits: bigint;
      priority: number | undefined;
      effective: number | undefined;
      expires: number | undefined;
    }
  | { kind: 'sweep' }
  | { kind: 'again' }
);

const common = {
  /** Minutes since the one before; a broker's clock may go back. */
  step: weighted([1, -2], [6, 0], [4, 1], [2, 2], [1, 6]),
  /** Which of the earlier ones comes again. */
  again: fc.nat(1_000),
};

const draft: fc.Arbitrary<Draft> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('usage' as const), id, items, ...common }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      id,
      credits,
      priority: fc.constantFrom(undefined, 0, 1, 100),
      effective: fc.option(soon, { nil: undefined }),
      expires: fc.option(soon, { nil: undefined }),
      ...common,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const), ...common }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('again' as const), ...common }) },
);

function sentOf(drafts: readonly Draft[]): Sent[] {
  const sent: Sent[] = [];
  let minute = 0;
  for (const [i, one] of drafts.entries()) {
    minute += one.step;
    const stamp = minutes(minute);
    const command =
      commandOf(one, i, minute) ?? sent[one.again % Math.max(sent.length, 1)]?.command;
    if (command) sent.push({ command, stamp });
  }
  return sent;
}

/** Undefined for one that comes again. */
function commandOf(one: Draft, index: number, minute: number): Command | undefined {
  switch (one.kind) {
    case 'usage':
      return { kind: 'usage', id: one.id, items: one.items };
    case 'grant': {
      const { id: grant_id, credits: amount, priority, effective, expires } = one;
      return {
        kind: 'grant',
        id: grant_id,
        credits: amount,
        ...(priority !== undefined && { priority }),
        ...(effective !== undefined && { effective_at: minutes(minute + effective) }),
        ...(expires !== undefined && { expires_at: minutes(minute + expires) }),
      };
    }
    case 'sweep':
      return { kind: 'sweep', id: `sys:sweep:${index}` };
    case 'again':
      return undefined;
  }
}

/** Sequences of requests to one account, with repeats, conflicts, ties and clocks that go back. */
export const sequences = fc.array(draft, { minLength: 1, maxLength: 45, size: 'max' }).map(sentOf);
