import { instantOf } from '#libs/contracts';
import fc from 'fast-check';
import type { ReceivedMessage } from '../port.js';
import { MAX_BATCH_BYTES, readFairly, type Cursor } from './cursor.js';

const cursors = (count: number): Cursor[] =>
  Array.from({ length: count }, (_, partition) => ({
    topic: 't',
    partition,
    epoch: 1,
    next: 0,
    committed: 0,
    lost: false,
  }));

const messages = (partition: number, count: number, bytes: number): ReceivedMessage[] =>
  Array.from({ length: count }, (_, offset) => ({
    topic: 't',
    partition,
    offset,
    timestamp: instantOf(0),
    key: null,
    value: 'x'.repeat(bytes),
    headers: {},
  }));

const deal = (available: readonly number[], max: number): number[] => {
  const given = available.map(() => 0);
  readFairly(
    cursors(available.length),
    max,
    ({ partition }) => available[partition]!,
    ({ partition }, count) => {
      given[partition] = count;
      return messages(partition, count, 1);
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

describe('a batch of large messages', () => {
  /** How many messages of each cursor, whose messages are all of one size. */
  const read = (sizes: readonly number[], available: number) =>
    readFairly(
      cursors(sizes.length),
      1_000,
      () => available,
      ({ partition }, count) => messages(partition, count, sizes[partition]!),
    ).map((run) => ({ count: run.messages.length, end: run.end }));

  it('ends before it has too many bytes, and the cursor stands behind what is in it', () => {
    const count = MAX_BATCH_BYTES / 250_000;
    expect(read([250_000], 100)).toEqual([{ count, end: count }]);
  });

  it('has at least one message of each cursor', () => {
    const sizes = Array.from({ length: 8 }, () => 1_000_000);
    expect(read([...sizes, 10], 3)).toEqual([
      ...sizes.map(() => ({ count: 1, end: 1 })),
      { count: 1, end: 1 },
    ]);
    expect(read([10, ...sizes.slice(0, 2)], 3).map(({ count }) => count)).toEqual([3, 1, 2]);
  });
});
