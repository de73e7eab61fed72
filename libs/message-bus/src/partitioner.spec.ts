import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { murmur2, partitionOf } from './partitioner.js';

it.each([
  ['acct-1', 294059390],
  ['acct-2', 2084802707],
  ['42', 417700972],
  ['顧客-1', 2095018210],
])('murmur2 of %s is what Java says', (key, hash) => {
  expect(murmur2(key) & 0x7fffffff).toBe(hash);
  expect(partitionOf(key, 16)).toBe(hash % 16);
});

it('agrees with the partitioner of kafkajs on every key', () => {
  const partitionMetadata = Array.from({ length: 64 }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [],
    isr: [],
  }));
  const partitioner = kafkajs.Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      const message = { key, value: null };
      const expected = partitioner({ topic: 'any', partitionMetadata, message });
      expect(partitionOf(key, 64)).toBe(expected);
    }),
  );
});

it('a message without a key goes to partition 0', () => {
  expect(partitionOf(null, 16)).toBe(0);
});
