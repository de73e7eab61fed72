import { backoffMs, type Backoff } from '#libs/platform';
import {
  OwnershipLost,
  type BatchControl,
  type ConsumeOptions,
  type ReceivedMessage,
} from '../port.js';
import { createBell } from './bell.js';
import type { Cursor, Feed, Run } from './cursor.js';

export interface Lane {
  /** Cursors that this lane reads from; the member adds and removes. */
  readonly cursors: Set<Cursor>;
  /** Called by the member when cursors were added, lost or are to be released, and at close. */
  readonly changed: () => void;
  /** Whether the batch in hand holds messages of this cursor. */
  readonly isBusyWith: (cursor: Cursor) => boolean;
  /** Resolves when the lane has ended; the batch in hand is finished first. */
  readonly close: () => Promise<void>;
}

export interface LaneSettings extends ConsumeOptions {
  readonly retry: Backoff;
  /** Asks whoever gave the partitions when it was not heard of for long; rejects when in doubt. */
  readonly confirm?: () => Promise<void>;
}

interface BatchInHand {
  readonly messages: readonly ReceivedMessage[];
  /** Its cursors, and where each goes on afterwards. */
  readonly ends: Map<Cursor, number>;
  readonly abort: AbortController;
}

/**
 * One loop: read, hand over, move the cursors. A failed batch is handed over again as it is, after a
 * backoff, for as long as its partitions are held.
 */
export function startLane(options: LaneSettings, feed: Feed, finished: () => void): Lane {
  const cursors = new Set<Cursor>();
  const bell = createBell();
  let in_hand: BatchInHand | undefined;
  let closing = false;
  let failures = 0;

  const isLost = (batch: BatchInHand) => [...batch.ends.keys()].some((cursor) => cursor.lost);

  const changed = () => {
    if (in_hand !== undefined && (closing || isLost(in_hand))) in_hand.abort.abort();
    bell.ring();
  };

  const control = (batch: BatchInHand): BatchControl => ({
    signal: batch.abort.signal,
    heartbeat: async () => {
      await nextTurn(); // lets the loss of a connection be noticed inside long work
      await options.confirm?.();
      if (isLost(batch)) throw new OwnershipLost('a partition of the batch belongs to another');
    },
  });

  const report = (error: unknown) => {
    failures++;
    try {
      options.on_failure?.(error, failures);
    } catch (thrown) {
      process.emitWarning(`on_failure threw ${String(thrown)}`);
    }
  };

  /** Waits out the backoff, or less when the partitions change or the consumer closes. */
  const pause = async () => {
    const deadline = performance.now() + backoffMs(options.retry, failures);
    for (;;) {
      const left_ms = deadline - performance.now();
      if (left_ms <= 0 || closing || (in_hand !== undefined && isLost(in_hand))) return;
      bell.clear();
      await bell.heard(left_ms);
    }
  };

  /** Whether the handler has dealt with the batch. */
  const deliver = async (batch: BatchInHand): Promise<boolean> => {
    if (batch.messages.length === 0) return true;
    for (;;) {
      try {
        await options.handler(batch.messages, control(batch));
        failures = 0;
        return !isLost(batch);
      } catch (error) {
        if (isLost(batch)) return false;
        report(error);
      }
      await pause();
      if (closing || isLost(batch)) return false;
    }
  };

  const run = async () => {
    while (!closing) {
      bell.clear();
      let runs: Run[];
      try {
        runs = await feed.read([...cursors], options.max_batch);
      } catch (error) {
        report(error);
        await pause();
        continue;
      }
      if (closing) return;
      in_hand = batchOf(runs, cursors);
      if (in_hand === undefined) {
        await bell.heard(feed.idle_ms);
        continue;
      }
      if (await deliver(in_hand)) {
        for (const [cursor, end] of in_hand.ends) cursor.next = end;
      }
      in_hand = undefined;
      finished();
    }
  };

  const unwatch = feed.watch(options.topics, bell.ring);
  const ended = run().finally(unwatch);
  return {
    cursors,
    changed,
    isBusyWith: (cursor) => in_hand?.ends.has(cursor) ?? false,
    close() {
      closing = true;
      changed();
      return ended;
    },
  };
}

/** The global timer, which a simulation can replace. */
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Leaves out what was lost or is to be released since it was read. */
function batchOf(runs: readonly Run[], cursors: ReadonlySet<Cursor>): BatchInHand | undefined {
  const held = runs.filter((run) => cursors.has(run.cursor));
  if (held.length === 0) return undefined;
  const ends = new Map(held.map(({ cursor, end }) => [cursor, end] as const));
  const messages =
    held.length === 1 && held[0] ? held[0].messages : held.flatMap((run) => run.messages);
  return { messages, ends, abort: new AbortController() };
}
