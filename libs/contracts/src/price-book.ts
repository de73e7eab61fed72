import { z } from 'zod';
import { CreditsInput, Credits } from './credits.js';
import { OperationId, PriceBookVersion } from './identifiers.js';
import { decodeRecorded } from './json.js';
import { Instant, InstantInput } from './time.js';
import { wholeNumber } from './whole-number.js';

export const Rounding = z.enum(['up', 'half_even', 'down']);
export type Rounding = z.infer<typeof Rounding>;

export const MAX_PER = 1_000_000_000;
const per = wholeNumber(1, MAX_PER);

/** What one operation costs, as a caller writes it. */
export const PriceInput = z.strictObject({
  /** Credits for `per` units. */
  credits: CreditsInput,
  /** Units that `credits` buys. Default 1. */
  per: per.optional(),
  /** How a fraction of a credit ends, once per line. Default up. */
  rounding: Rounding.optional(),
  /** Credits added to each line, whatever its quantity. Default none. */
  fixed: CreditsInput.optional(),
});
export type PriceInput = z.infer<typeof PriceInput>;

const MAX_PRICES = 1_000;
const TOO_MANY_PRICES = `must price at most ${MAX_PRICES.toLocaleString('en-US')} operations`;

export const PricesInput = z
  .record(OperationId, PriceInput)
  .refine((prices) => Object.keys(prices).length > 0, 'must price at least one operation')
  .refine((prices) => Object.keys(prices).length <= MAX_PRICES, TOO_MANY_PRICES);

/** The same with per and rounding filled in, as recorded. */
export const Price = z.strictObject({
  credits: Credits,
  per,
  rounding: Rounding,
  fixed: Credits.optional(),
});
export type Price = z.infer<typeof Price>;

const Prices = z.record(OperationId, Price);
type Prices = z.infer<typeof Prices>;

/** One version of a tenant's prices; in force from `effective_from` until a later version's. */
export const PriceBook = z.strictObject({
  version: PriceBookVersion,
  effective_from: Instant,
  prices: Prices,
});
export type PriceBook = z.infer<typeof PriceBook>;

/** Prices as recorded: sorted by operation, `per` 1 and rounding up where the caller said nothing. */
export const recordedPrices = (prices: Readonly<Record<string, PriceInput>>): Prices =>
  Object.fromEntries(
    Object.entries(prices)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([operation, { credits, per, rounding, fixed }]) => [
        operation,
        {
          credits,
          per: per ?? 1,
          rounding: rounding ?? 'up',
          ...(fixed !== undefined && { fixed }),
        },
      ]),
  );

const ShippedPriceBook = z.strictObject({
  version: PriceBookVersion,
  effective_from: InstantInput,
  prices: PricesInput,
});

/**
 * The price book that a release ships, in force where a tenant has published none. Takes JSON in the
 * form of a publish request. Throws InvariantBroken with what is wrong: nothing may be decided then.
 */
export function parseShippedPriceBook(json: string): PriceBook {
  const { version, effective_from, prices } = decodeRecorded(ShippedPriceBook, json);
  return { version, effective_from, prices: recordedPrices(prices) };
}
