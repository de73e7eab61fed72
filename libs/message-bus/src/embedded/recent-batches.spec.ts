import type { Instant } from '#libs/contracts';
import fc from 'fast-check';
import type { ReceivedMessage } from '../port.js';
import { createRecentBatches } from './recent-batches.js';

const messages = (partition: number, from: number, count: number): ReceivedMessage[] =>
  Array.from({ length: count }, (_, index) => ({
    topic: 't',
    partition,
    offset: from + index,
    timestamp: '2026-01-31T00:00:00.000Z' as Instant,
    key: null,
    value: null,
    headers: {},
  }));

it('hands out what follows an offset without a gap, or nothing', () => {
  const step = fc.record({
    partition: fc.integer({ min: 0, max: 2 }),
    /** What another process appended before this batch. */
    gap: fc.constantFrom(0, 0, 0, 5),
    count: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 40 }),
      (steps, limit) => {
        const recent = createRecentBatches(limit, Infinity);
        const ends = [0, 0, 0];
        for (const { partition, gap, count } of steps) {
          const base = ends[partition]! + gap;
          recent.add(messages(partition, base, count));
          ends[partition] = base + count;
        }
        let held = 0;
        for (const [partition, end] of ends.entries()) {
          const counts = Array.from({ length: end + 2 }, (_, from) =>
            recent.available('t', partition, from),
          );
          held += Math.max(...counts);
          for (const [from, available] of counts.entries()) {
            expect([0, end - from]).toContain(available);
            const taken = recent.take('t', partition, from, Math.min(3, available));
            const offsets = taken.map(({ offset }) => offset);
            expect(offsets).toEqual([from, from + 1, from + 2].slice(0, Math.min(3, available)));
          }
        }
        expect(held).toBeLessThanOrEqual(limit);
      },
    ),
  );
});

it('holds the newest', () => {
  const recent = createRecentBatches(10, Infinity);
  for (let from = 0; from < 100; from += 5) recent.add(messages(0, from, 5));
  expect(recent.available('t', 0, 90)).toBe(10);
  expect(recent.available('t', 0, 89)).toBe(0);
});

it('holds no more bytes than it may, however few messages they are', () => {
  const recent = createRecentBatches(1_000, 10_000);
  const large = (from: number) =>
    messages(0, from, 2).map((one) => ({ ...one, value: 'x'.repeat(2_000) }));
  for (let from = 0; from < 20; from += 2) recent.add(large(from));
  expect(recent.available('t', 0, 16)).toBe(4);
  expect(recent.available('t', 0, 15)).toBe(0);
  recent.add(messages(0, 30, 1)); // another process has appended in between
  for (let from = 31; from < 41; from += 2) recent.add(large(from));
  expect(recent.available('t', 0, 37)).toBe(4);
});
