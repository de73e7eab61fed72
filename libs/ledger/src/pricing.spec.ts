import fc from 'fast-check';
import {
  MAX_CREDITS,
  MAX_PER,
  MAX_QUANTITY,
  type Credits,
  type OperationId,
  type Price,
  type PriceBook,
  type Rounding,
} from '#libs/contracts';
import { divide, priceLine, quote } from './pricing.js';

const OPERATION = 'llm.tokens' as OperationId;

const cost = (quantity: number, price: Partial<Price> & { credits: Credits }): Credits =>
  priceLine(OPERATION, quantity, { per: 1, rounding: 'up', ...price }).credits;

const bookOf = (prices: Record<string, Price>): PriceBook =>
  ({ version: 'v', effective_from: '1970-01-01T00:00:00.000Z', prices }) as PriceBook;

const each = (credits: bigint, per = 1): Price => ({ credits, per, rounding: 'up' });

describe('a line costs', () => {
  it('quantity × credits when the price is per unit', () => {
    expect(cost(7, { credits: 20n })).toBe(140n);
  });

  it('a part of a bundle, rounded up unless the price says otherwise', () => {
    expect(cost(1, { credits: 1n, per: 1_000 })).toBe(1n);
    expect(cost(1_000, { credits: 1n, per: 1_000 })).toBe(1n);
    expect(cost(1_001, { credits: 1n, per: 1_000 })).toBe(2n);
    expect(cost(1_001, { credits: 3n, per: 1_000 })).toBe(4n);
  });

  it('the fixed part once, after rounding, whatever the quantity', () => {
    expect(cost(1, { credits: 1n, per: 1_000, fixed: 5n })).toBe(6n);
    expect(cost(5_000, { credits: 1n, per: 1_000, fixed: 5n })).toBe(10n);
  });

  const roundings: [Rounding, [quantity: number, per: number, credits: bigint][]][] = [
    ['up', [[1, 10, 1n], [5, 10, 1n], [9, 10, 1n], [10, 10, 1n], [11, 10, 2n]]], // prettier-ignore
    ['down', [[1, 10, 0n], [5, 10, 0n], [9, 10, 0n], [10, 10, 1n], [19, 10, 1n]]], // prettier-ignore
    [
      'half_even',
      [
        [4, 10, 0n],
        [5, 10, 0n], // a tie goes down to 0
        [6, 10, 1n],
        [14, 10, 1n],
        [15, 10, 2n], // a tie goes up to 2
        [25, 10, 2n], // and down to 2
        [35, 10, 4n], // and up to 4
        [3, 7, 0n], // an odd bundle has no ties
        [4, 7, 1n],
      ],
    ],
  ];

  it.each(roundings)('%s to whole credits', (rounding, rows) => {
    for (const [quantity, per, credits] of rows) {
      expect([quantity, per, cost(quantity, { credits: 1n, per, rounding })]).toEqual([
        quantity,
        per,
        credits,
      ]);
    }
  });

  it('exactly that, beyond what a float can count', () => {
    // 10^12 × (10^15 − 1): a float would lose the last digits.
    expect(cost(MAX_QUANTITY, { credits: MAX_CREDITS - 1n })).toBe(
      999_999_999_999_999n * 10n ** 12n,
    );
    expect(cost(MAX_QUANTITY, { credits: MAX_CREDITS - 1n, per: MAX_PER })).toBe(
      999_999_999_999_999n * 10n ** 3n,
    );
    expect(cost(MAX_QUANTITY - 1, { credits: 1n, per: MAX_PER, rounding: 'down' })).toBe(999n);
  });

  it('keeps what its arithmetic needs on the line, fixed only when there is one', () => {
    expect(priceLine(OPERATION, 3, { ...each(2n, 4), fixed: 9n })).toEqual({
      operation: OPERATION,
      quantity: 3,
      credits: 11n,
      unit_credits: 2n,
      per: 4,
      rounding: 'up',
      fixed: 9n,
    });
    expect(Object.keys(priceLine(OPERATION, 3, each(2n)))).not.toContain('fixed');
  });
});

/**
 * The oracle knows no division: it counts with the defining inequalities over scaled integers, and
 * takes ties to the even neighbour by looking at both.
 */
function satisfies(rounding: Rounding, amount: bigint, per: bigint, result: bigint): boolean {
  const scaled = result * per;
  switch (rounding) {
    case 'up':
      return scaled >= amount && scaled - amount < per;
    case 'down':
      return scaled <= amount && amount - scaled < per;
    case 'half_even': {
      const twice_off = 2n * (scaled > amount ? scaled - amount : amount - scaled);
      return twice_off < per || (twice_off === per && result % 2n === 0n);
    }
  }
}

describe('rounding against an oracle of inequalities', () => {
  const rounding = fc.constantFrom<Rounding>('up', 'down', 'half_even');
  const small = fc.bigInt(0n, 60n);
  const amount = fc.oneof(small, fc.bigInt(0n, 10n ** 27n));
  const per = fc.oneof(fc.bigInt(1n, 12n), fc.bigInt(1n, BigInt(MAX_PER)));

  it('agrees', () => {
    fc.assert(
      fc.property(amount, per, rounding, (value, by, how) =>
        satisfies(how, value, by, divide(value, by, how)),
      ),
      { numRuns: 3_000 },
    );
  });

  it('can tell a wrong result: no other whole number satisfies it', () => {
    fc.assert(
      fc.property(
        amount,
        per,
        rounding,
        fc.constantFrom(-1n, 1n),
        (value, by, how, off) => !satisfies(how, value, by, divide(value, by, how) + off),
      ),
      { numRuns: 1_000 },
    );
  });

  it('never goes down when the quantity goes up', () => {
    const price = fc.record({ credits: fc.bigInt(1n, 50n), per: fc.integer({ min: 1, max: 9 }) });
    const quantity = fc.integer({ min: 1, max: 200 });
    fc.assert(
      fc.property(price, rounding, quantity, (of, how, count) => {
        const terms = { ...of, rounding: how };
        return cost(count + 1, terms) >= cost(count, terms);
      }),
    );
  });
});

describe('a quote', () => {
  const items = (...pairs: [string, number][]) =>
    pairs.map(([operation, quantity]) => ({ operation: operation as OperationId, quantity }));

  it('rounds each line by itself, then sums exactly', () => {
    const book = bookOf({ a: each(1n, 1_000) });
    expect(quote(items(['a', 1], ['a', 1]), book)).toMatchObject({ credits: 2n });
    expect(quote(items(['a', 2]), book)).toMatchObject({ credits: 1n });
  });

  it('keeps the lines in the order asked', () => {
    const book = bookOf({ a: each(1n), b: each(2n) });
    expect(quote(items(['b', 1], ['a', 1], ['b', 2]), book)).toMatchObject({
      kind: 'priced',
      credits: 7n,
      lines: [
        { operation: 'b', credits: 2n },
        { operation: 'a', credits: 1n },
        { operation: 'b', credits: 4n },
      ],
    });
  });

  it('names the first operation that has no price', () => {
    const book = bookOf({ a: each(1n) });
    expect(quote(items(['a', 1], ['y', 1], ['x', 1]), book)).toEqual({
      kind: 'unknown_operation',
      operation: 'y',
    });
  });

  it('sees only its own prices, not what objects inherit', () => {
    const book = bookOf({ valueOf: each(4n) });
    expect(quote(items(['valueOf', 1]), book)).toMatchObject({ kind: 'priced', credits: 4n });
    for (const name of ['constructor', '__proto__', 'toString', 'isPrototypeOf']) {
      expect(quote(items([name, 1]), book)).toMatchObject({ kind: 'unknown_operation' });
    }
  });

  it('may reach the largest amount, and is too large beyond it', () => {
    const book = bookOf({ a: each(MAX_CREDITS - 1n), b: each(1n) });
    expect(quote(items(['a', 1], ['b', 1]), book)).toMatchObject({
      kind: 'priced',
      credits: MAX_CREDITS,
    });
    expect(quote(items(['a', 1], ['b', 2]), book)).toMatchObject({ kind: 'price_too_large' });
  });
});
