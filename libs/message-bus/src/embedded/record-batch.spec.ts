import type { Instant } from '#libs/contracts';
import fc from 'fast-check';
import { normalText, normalValue } from '../message-value.js';
import { decodeBatch, encodeBatch, receive, type BusRecord } from './record-batch.js';

const text = fc.string({ unit: 'binary' });
const value = fc.oneof(
  text.map(normalValue),
  fc.json(),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => normalValue(Buffer.from(bytes))),
  fc.constant(null),
);
const record: fc.Arbitrary<BusRecord> = fc.record({
  key: fc.option(text.map(normalText), { nil: null }),
  value,
  headers: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
});
const place = {
  topic: 't',
  partition: 3,
  base: 40,
  timestamp: '2026-01-31T00:00:00.000Z' as Instant,
};

it('gives back what went in, as a text that Postgres takes', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) => {
      const payload = encodeBatch(records);
      expect(payload).not.toMatch(/\0|\p{Surrogate}/u);
      expect(decodeBatch(payload, place)).toEqual(receive(records, place));
    }),
  );
});

it('counts offsets up from the base', () => {
  const records: BusRecord[] = [1, 2, 3].map((n) => ({ key: 'k', value: `${n}`, headers: {} }));
  const offsets = decodeBatch(encodeBatch(records), place).map(({ offset }) => offset);
  expect(offsets).toEqual([40, 41, 42]);
});
