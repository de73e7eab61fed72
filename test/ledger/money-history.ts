import fc from 'fast-check';
import { recordedPrices, type Instant, type PriceBook } from '#libs/contracts';
import type { TestRecorder } from '../fixtures/recorded-events.js';
import { MODEL_PRICES, type Sent } from './commands.js';
import { ModelLedger, type ModelPrice } from './model.js';
import { ModelBooks, type Paid } from './money.js';

/** What the histories of `sequences` leave open: when it happened, what was paid, which prices. */
export const MONEY = fc.array(
  fc.record({
    /** Minutes before the decision: the same minute, over the border of a month, long ago. */
    earlier: fc.constantFrom(0, 0, 1, 3, 45 * 24 * 60),
    paid: fc.option(
      fc.record({
        amount_minor: fc.constantFrom(0, 1, 4_900, Number.MAX_SAFE_INTEGER),
        currency: fc.constantFrom('EUR', 'JPY'),
      }),
      { nil: undefined },
    ),
    reprice: fc.integer({ min: 0, max: 9 }),
  }),
  { minLength: 46, maxLength: 46 },
);

/** The decisions begin shortly before a month ends. */
const SHIFT_MS = Date.UTC(2026, 3, 30, 23, 55) - Date.UTC(2026, 2, 10, 12);
const shifted = (instant: string, by_ms = SHIFT_MS): Instant =>
  new Date(Date.parse(instant) + by_ms).toISOString() as Instant;

const dearer = ({ credits, ...price }: ModelPrice, by: number): ModelPrice => ({
  ...price,
  credits: credits + BigInt(by),
});

function bookOf(prices: ReadonlyMap<string, ModelPrice>, version: string): PriceBook {
  const inputs = [...prices].map(([operation, { credits, per, rounding, fixed }]) => [
    operation,
    { credits, per: Number(per), rounding, ...(fixed > 0n && { fixed }) },
  ]);
  const recorded = recordedPrices(
    Object.fromEntries(inputs) as Parameters<typeof recordedPrices>[0],
  );
  return { version, effective_from: '1970-01-01T00:00:00.000Z', prices: recorded } as PriceBook;
}

const TOKYO_MS = 9 * 3_600_000;

interface Extra {
  readonly earlier: number;
  readonly paid: Paid | undefined;
  readonly reprice: number;
}

/** Plays a history on an account and on the model. */
export function playMoney(
  recorder: TestRecorder,
  account_id: string,
  sent: readonly Sent[],
  more: readonly Extra[],
) {
  const account = recorder.account(account_id);
  const prices = new Map(MODEL_PRICES);
  const model = new ModelLedger(prices);
  const books = new ModelBooks();
  const seen = new Set<string>();
  let version = 'v0';
  let available = 0n;
  const end: Sent = { command: { kind: 'sweep', id: 'sys:end' }, stamp: sent.at(-1)!.stamp };
  for (const [i, { command: drafted, stamp }] of [...sent, end].entries()) {
    if (seen.has(drafted.id)) continue; // repeats are the model's own test
    seen.add(drafted.id);
    const { earlier, paid, reprice } = more[i] ?? more[0]!;
    if (reprice === 0) {
      version = `v${i}`;
      for (const [operation, price] of prices) prices.set(operation, dearer(price, i % 3));
    }
    const command =
      drafted.kind === 'grant'
        ? {
            ...drafted,
            ...(drafted.effective_at && { effective_at: shifted(drafted.effective_at) }),
            ...(drafted.expires_at && { expires_at: shifted(drafted.expires_at) }),
          }
        : drafted;
    const at = shifted(stamp);
    if (recorder.now < at) recorder.now = at;
    recorder.price_book = bookOf(prices, version);
    const occurred_at = shifted(recorder.now, -earlier * 60_000);
    const expected = model.step(command, recorder.now);
    books.add(command, expected, { occurred_at, version, prices, paid });
    ({ available } = expected);
    recorder.ask(account, requestOf(command, occurred_at, paid));
  }
  return { books, available };
}

function requestOf(command: Sent['command'], occurred_at: string, paid: Paid | undefined): object {
  const { kind: _kind, id, ...fields } = command;
  // As a caller elsewhere writes it, where it may be another day and month.
  const there = shifted(occurred_at, TOKYO_MS).replace('Z', '+09:00');
  const common = { request_id: id, occurred_at: there };
  switch (command.kind) {
    case 'usage': {
      const items = command.items.map(([operation, quantity]) => ({ operation, quantity }));
      return { ...common, type: 'UsageRequested', items };
    }
    case 'grant':
      return {
        ...common,
        ...fields,
        credits: String(command.credits),
        type: 'CreditsGrantRequested',
        kind: 'pack',
        ...(paid && { paid }),
      };
    case 'sweep':
      return { ...common, type: 'SweepRequested' };
  }
}
