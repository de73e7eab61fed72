import { recordedPrices, type OperationId, type PriceInput } from '#libs/contracts';
import { arithmeticOf } from './arithmetic.js';
import { priceLine } from './pricing.js';

const OP = 'op' as OperationId;

const explained = (quantity: number, price: PriceInput): string =>
  arithmeticOf(priceLine(OP, quantity, recordedPrices({ op: price })[OP]!));

it.each<[string, number, PriceInput]>([
  ['3 × 20 = 60', 3, { credits: 20n }],
  ['374 × 1 / 1,000 = 0.374, rounded up = 1', 374, { credits: 1n, per: 1_000 }],
  [
    '1,044 × 3 / 1,000 = 3.132, rounded down = 3',
    1_044,
    { credits: 3n, per: 1_000, rounding: 'down' },
  ],
  ['5 × 1 / 2 = 2.5, rounded half to even = 2', 5, { credits: 1n, per: 2, rounding: 'half_even' }],
  ['2,000 × 3 / 1,000 = 6', 2_000, { credits: 3n, per: 1_000 }],
  ['1 × 1 / 3 ≈ 0.333333333, rounded up = 1', 1, { credits: 1n, per: 3 }],
  ['1 × 1 / 1,000,000,000 = 0.000000001, rounded up = 1', 1, { credits: 1n, per: 1_000_000_000 }],
  [
    '1,500 × 1 / 1,000 = 1.5, rounded up = 2, and 7 fixed = 9',
    1_500,
    { credits: 1n, per: 1_000, fixed: 7n },
  ],
  ['2 × 5 = 10, and 7 fixed = 17', 2, { credits: 5n, fixed: 7n }],
  ['12,000 × 0 = 0', 12_000, { credits: 0n }],
])('%s', (text, quantity, price) => {
  expect(explained(quantity, price)).toBe(text);
});
