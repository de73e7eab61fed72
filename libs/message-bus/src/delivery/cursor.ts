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
  /** At most `max` messages from the cursors' `next` on, at most one run per cursor. Moves no cursor. */
  read(cursors: readonly Cursor[], max: number): Promise<Run[]>;
  /** Calls `ring` when one of these topics may have more; returns how to stop that. */
  watch(topics: readonly string[], ring: () => void): () => void;
  /** How long to wait for a ring before reading anyway. */
  readonly idle_ms: number;
}

/** Deals out a budget fairly: what one cursor leaves goes to those that have more. */
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
  for (const [index, { cursor, left }] of open.entries()) {
    const share = Math.ceil(budget / (open.length - index));
    const count = Math.min(left, share, budget);
    if (count === 0) break;
    const messages = take(cursor, count);
    runs.push({ cursor, messages, end: (messages.at(-1)?.offset ?? -1) + 1 });
    budget -= count;
  }
  return runs;
}
