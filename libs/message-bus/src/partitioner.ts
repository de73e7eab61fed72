/**
 * Kafka's default partitioner, as its Java client does it, so that every producer of a topic, whatever
 * its language (librdkafka: `partitioner=murmur2_random`), puts a key into the same partition.
 */
export function partitionOf(key: string | null, partitions: number): number {
  if (key === null) return 0;
  return (murmur2(key) & 0x7fffffff) % partitions;
}

const MULTIPLIER = 0x5bd1e995;
const SEED = 0x9747b28c;
const SHIFT = 24;

/** Room for the bytes of nearly every key, so that most need no buffer of their own. */
const scratch = Buffer.allocUnsafeSlow(1_024);
const MAX_BYTES_PER_UNIT = 3;

/** 32-bit murmur2 of the key's UTF-8 bytes. */
export function murmur2(key: string): number {
  const fits = key.length * MAX_BYTES_PER_UNIT <= scratch.length;
  const bytes = fits ? scratch : Buffer.from(key);
  const length = fits ? scratch.write(key) : bytes.length;
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < tail; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), MULTIPLIER);
    word ^= word >>> SHIFT;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  for (let at = length - 1; at >= tail; at--) hash ^= (bytes[at] ?? 0) << (8 * (at & 3));
  if (tail < length) hash = Math.imul(hash, MULTIPLIER);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  return hash ^ (hash >>> 15);
}
