import type { ReceivedMessage } from '../port.js';

/** Where one member stands on one (topic, partition), for as long as it holds the partition. */
export interface Cursor {
  readonly topic: string;
  readonly partition: number;
  /** Raised by each new holder: a commit under an older epoch is refused. */
  readonly epoch: number;
  /** Next offset to deliver; everything before is dealt with. */
  next: number;
  /** Next offset that the broker knows of. */
  committed: number;
  /** The partition is not this member's any more, whatever it may still be doing. */
  lost: boolean;
}

/** Messages of one cursor in offset order; none when only what is no message comes before `end`. */
export interface Run {
  readonly cursor: Cursor;
  readonly messages: readonly ReceivedMessage[];
  /** Where the cursor stands once the messages are dealt with. */
  readonly end: number;
}

/** Where messages come from. */
export interface Feed {
  /**
   * At most `max` messages from the cursors' `next` on, at most one run per cursor, and about
   * MAX_BATCH_BYTES in all. Moves no cursor.
   */
  read(cursors: readonly Cursor[], max: number): Promise<Run[]>;
  /** Calls `ring` when one of these topics may have more; returns how to stop that. */
  watch(topics: readonly string[], ring: () => void): () => void;
  /** How long to wait for a ring before reading anyway. */
  readonly idle_ms: number;
}

/** Most bytes of one batch, unless there are so many cursors with a message that is larger than its share. */
export const MAX_BATCH_BYTES = 4_000_000;

/** In memory and on the wire, nearly: counted at once, whatever the length. */
export const sizeOf = ({ key, value }: ReceivedMessage): number =>
  (key?.length ?? 0) + (value?.length ?? 0);

/**
 * Deals out a budget fairly: what one cursor leaves goes to those that have more. Each gets a message at
 * least, however large: otherwise those with small ones could wait for ever.
 */
export function readFairly(
  cursors: readonly Cursor[],
  max: number,
  available: (cursor: Cursor) => number,
  take: (cursor: Cursor, count: number) => readonly ReceivedMessage[],
): Run[] {
  const runs: Run[] = [];
  const open = cursors
    .map((cursor) => ({ cursor, left: available(cursor) }))
    .filter(({ left }) => left > 0)
    .toSorted((a, b) => a.left - b.left);
  let budget = max;
  let bytes_left = MAX_BATCH_BYTES;
  for (const [index, { cursor, left }] of open.entries()) {
    const others = open.length - index;
    const share = Math.ceil(budget / others);
    const count = Math.min(left, share, budget);
    if (count === 0) break;
    const fitting = firstBytes(take(cursor, count), bytes_left / others);
    const { messages } = fitting;
    runs.push({ cursor, messages, end: (messages.at(-1)?.offset ?? -1) + 1 });
    budget -= messages.length;
    bytes_left = Math.max(0, bytes_left - fitting.bytes);
  }
  return runs;
}

function firstBytes(messages: readonly ReceivedMessage[], limit: number) {
  let bytes = 0;
  for (const [index, message] of messages.entries()) {
    const size = sizeOf(message);
    if (index > 0 && bytes + size > limit) return { messages: messages.slice(0, index), bytes };
    bytes += size;
  }
  return { messages, bytes };
}
