import fc from 'fast-check';
import { readFairly, type Cursor } from './cursor.js';

const cursors = (count: number): Cursor[] =>
  Array.from({ length: count }, (_, partition) => ({
    topic: 't',
    partition,
    epoch: 1,
    next: 0,
    committed: 0,
    lost: false,
  }));

const deal = (available: readonly number[], max: number): number[] => {
  const given = available.map(() => 0);
  readFairly(
    cursors(available.length),
    max,
    ({ partition }) => available[partition]!,
    ({ partition }, count) => {
      given[partition] = count;
      return [];
    },
  );
  return given;
};

it('takes all there is, up to the limit', () => {
  const amounts = fc.array(fc.nat(50), { maxLength: 20 });
  fc.assert(
    fc.property(amounts, fc.integer({ min: 1, max: 300 }), (available, max) => {
      const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
      const given = deal(available, max);
      expect(sum(given)).toBe(Math.min(max, sum(available)));
      expect(given.every((count, index) => count <= available[index]!)).toBe(true);
    }),
  );
});

it('gives everyone an equal share, and what one leaves to the others', () => {
  expect(deal([1_000, 1_000, 1_000, 1_000], 100)).toEqual([25, 25, 25, 25]);
  expect(deal([5, 1_000, 0, 1_000], 105)).toEqual([5, 50, 0, 50]);
});
