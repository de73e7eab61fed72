import type { MessageCoordinate } from '#libs/contracts';

const WORD_BITS = 32;
const FIRST_WORDS = 1_024;

/**
 * A set of message coordinates at one bit each: a million messages take 125 kB. Offsets below the
 * first one that is still on the bus are not kept.
 */
export interface CoordinateSet {
  /** `gone`: below what is still on the bus; `unknown`: no such topic or partition. */
  add(coordinate: MessageCoordinate): 'added' | 'present' | 'gone' | 'unknown';
  delete(coordinate: MessageCoordinate): void;
  /** What is left at or above the begin of each partition. */
  values(): Iterable<MessageCoordinate>;
}

interface Partition {
  readonly topic: string;
  readonly partition: number;
  readonly begin: number;
  words: Uint32Array;
}

export function coordinateSet(
  partitions: readonly { topic: string; partition: number; begin: number }[],
): CoordinateSet {
  const sets = new Map<string, Partition>();
  for (const { topic, partition, begin } of partitions) {
    const words = new Uint32Array(FIRST_WORDS);
    sets.set(`${topic}/${partition}`, { topic, partition, begin, words });
  }
  const setOf = ({ topic, partition }: MessageCoordinate) => sets.get(`${topic}/${partition}`);

  return {
    add(coordinate) {
      const set = setOf(coordinate);
      if (set === undefined) return 'unknown';
      const bit = coordinate.offset - set.begin;
      if (bit < 0) return 'gone';
      const word = Math.floor(bit / WORD_BITS);
      if (word >= set.words.length) set.words = enlarged(set.words, word + 1);
      const mask = 1 << (bit % WORD_BITS);
      if ((set.words[word]! & mask) !== 0) return 'present';
      set.words[word]! |= mask;
      return 'added';
    },
    delete(coordinate) {
      const set = setOf(coordinate);
      const bit = coordinate.offset - (set?.begin ?? 0);
      const word = Math.floor(bit / WORD_BITS);
      if (set === undefined || bit < 0 || word >= set.words.length) return;
      set.words[word]! &= ~(1 << (bit % WORD_BITS));
    },
    *values() {
      for (const { topic, partition, begin, words } of sets.values()) {
        for (let word = 0; word < words.length; word += 1) {
          for (let bit = 0; words[word] !== 0 && bit < WORD_BITS; bit += 1) {
            if ((words[word]! & (1 << bit)) === 0) continue;
            yield { topic, partition, offset: begin + word * WORD_BITS + bit };
          }
        }
      }
    },
  };
}

function enlarged(words: Uint32Array, least: number): Uint32Array {
  const larger = new Uint32Array(Math.max(least, words.length * 2));
  larger.set(words);
  return larger;
}
