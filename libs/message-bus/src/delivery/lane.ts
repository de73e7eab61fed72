import { backoffMs, isAway, type Backoff } from '#libs/platform';
import { HoldsLane, OwnershipLost, type BatchControl, type ConsumeOptions } from '../port.js';
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
  readonly runs: readonly Run[];
  readonly abort: AbortController;
}

/** What the handler failed with. */
interface FailedBatch {
  readonly runs: readonly Run[];
  readonly failures: number;
  /** By `performance.now()`. */
  readonly due_at: number;
  /** It is not of one partition: nothing goes on meanwhile. */
  readonly holds_lane: boolean;
}

/** Then what is wrong stays wrong, perhaps in one of its partitions only. */
const FAILURES_TOGETHER = 2;

/**
 * One loop: read, hand over, move the cursors. A failed batch is handed over again as it is, after a
 * backoff, for as long as its partitions are held; after its second failure each partition by itself, so
 * that one cannot hold up the others. Meanwhile the lane goes on with the partitions that do not fail, unless
 * a server is away or the handler says otherwise.
 */
export function startLane(options: LaneSettings, feed: Feed, finished: () => void): Lane {
  const cursors = new Set<Cursor>();
  const failed = new Set<FailedBatch>();
  const bell = createBell();
  let in_hand: BatchInHand | undefined;
  let closing = false;
  let read_failures = 0;
  /** By `performance.now()`: until then nothing is read. */
  let read_at = 0;

  const isLost = (batch: BatchInHand) => batch.runs.some(({ cursor }) => cursor.lost);

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

  const report = (error: unknown, failures: number) => {
    try {
      options.on_failure?.(error, failures);
    } catch (thrown) {
      process.emitWarning(`on_failure threw ${String(thrown)}`);
    }
  };

  const toHandOverAgain = (runs: readonly Run[], failures: number, error: unknown) => {
    const due_at = performance.now() + backoffMs(options.retry, failures);
    const holds_lane = error instanceof HoldsLane || isAway(error);
    const isWhole = holds_lane || failures < FAILURES_TOGETHER;
    const parts = isWhole ? [runs] : byPartition(runs);
    for (const part of parts) failed.add({ runs: part, failures, due_at, holds_lane });
  };

  /** Those that hold the lane come first; then whoever has waited longest. */
  const firstFailed = (): FailedBatch | undefined =>
    [...failed].toSorted(
      (a, b) => Number(b.holds_lane) - Number(a.holds_lane) || a.due_at - b.due_at,
    )[0];

  const goesOn = (): Cursor[] => {
    const waiting = [...failed].filter(({ runs }) =>
      runs.some(({ cursor }) => cursors.has(cursor)),
    );
    if (waiting.some(({ holds_lane }) => holds_lane)) return [];
    const partitions = new Set(waiting.flatMap(({ runs }) => runs.map(partitionOf)));
    return [...cursors].filter(({ partition }) => !partitions.has(partition));
  };

  /** One attempt. */
  const deliver = async (batch: BatchInHand, failures: number): Promise<void> => {
    const [first] = batch.runs;
    const messages =
      batch.runs.length === 1 ? first!.messages : batch.runs.flatMap((run) => run.messages);
    try {
      if (messages.length > 0) await options.handler(messages, control(batch));
    } catch (error) {
      if (isLost(batch)) return;
      report(error, failures + 1);
      toHandOverAgain(batch.runs, failures + 1, error);
      return;
    }
    if (isLost(batch)) return;
    for (const { cursor, end } of batch.runs) cursor.next = end;
  };

  /** Nothing while they cannot be read. */
  const read = async (): Promise<readonly Run[]> => {
    const wanted = goesOn();
    if (wanted.length === 0 || performance.now() < read_at) return [];
    try {
      const runs = await feed.read(wanted, options.max_batch);
      read_failures = 0;
      return runs;
    } catch (error) {
      read_failures++;
      report(error, read_failures);
      read_at = performance.now() + backoffMs(options.retry, read_failures);
      return [];
    }
  };

  /** The one that has waited longest for its turn, if that has come. */
  const takeFailed = (): FailedBatch | undefined => {
    const first = firstFailed();
    if (first === undefined || first.due_at > performance.now()) return undefined;
    failed.delete(first);
    return first;
  };

  const idle = async () => {
    const now = performance.now();
    const read_in = read_at > now ? read_at - now : feed.idle_ms;
    const due_in = (firstFailed()?.due_at ?? Infinity) - now;
    if (due_in > 0) await bell.heard(Math.min(read_in, due_in));
  };

  const run = async () => {
    let was_failed = false;
    while (!closing) {
      bell.clear();
      // In turn with what goes on: neither may keep the other from its turn.
      const again: FailedBatch | undefined = was_failed ? undefined : takeFailed();
      was_failed = again !== undefined;
      const runs = again ? again.runs : await read();
      if (closing) return;
      in_hand = batchOf(runs, cursors);
      if (in_hand) {
        await deliver(in_hand, again?.failures ?? 0);
        in_hand = undefined;
        finished();
      } else if (!again) await idle();
    }
  };

  const unwatch = feed.watch(options.topics, bell.ring);
  const ended = run().finally(unwatch);
  return {
    cursors,
    changed,
    isBusyWith: (cursor) => in_hand?.runs.some((run) => run.cursor === cursor) ?? false,
    close() {
      closing = true;
      changed();
      return ended;
    },
  };
}

/** The global timer, which a simulation can replace. */
const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

const partitionOf = ({ cursor }: Run): number => cursor.partition;

/** Of all topics together: what somebody published under one key is not torn further apart. */
const byPartition = (runs: readonly Run[]): Run[][] =>
  [...new Set(runs.map(partitionOf))].map((one) => runs.filter((run) => partitionOf(run) === one));

/** Leaves out what was lost or is to be released since it was read. */
function batchOf(runs: readonly Run[], cursors: ReadonlySet<Cursor>): BatchInHand | undefined {
  const held = runs.filter((run) => cursors.has(run.cursor));
  return held.length === 0 ? undefined : { runs: held, abort: new AbortController() };
}
