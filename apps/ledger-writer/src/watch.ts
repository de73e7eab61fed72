import { GROUPS, REQUEST_TOPICS } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { lagOf, type MessageBus, type PartitionPosition } from '#libs/message-bus';
import {
  createWatchdog,
  type Clock,
  type Health,
  type Metrics,
  type Workload,
} from '#libs/platform';
import type { ReadSideWaits } from './read-side-wait.js';
import { storeCheck } from './store-check.js';

export interface WatchOptions {
  readonly bus: Pick<MessageBus, 'positions'>;
  readonly store: Pick<EventReader, 'readLast'>;
  /** Partition numbers that this writer holds now. */
  readonly assigned: () => readonly number[];
  readonly read_side_waits: ReadSideWaits;
  readonly health: Pick<Health, 'add'>;
  readonly metrics: Pick<Metrics, 'lag' | 'stuck_for_seconds'>;
  readonly clock: Clock;
}

const STUCK_LIMIT_SECONDS = 30;
const WAIT_LIMIT_MS = 1_000;
const WORKER = { worker: GROUPS.writer };

/**
 * Not ready while the event store cannot be read, while the read side is too far behind, or while work
 * waits on a partition of this writer and none is done. Each writer reports on its own partitions: a group of healthy writers must not turn
 * unready because one is stuck. A writer that holds none reports on the whole group: it may be the only
 * one, evicted, and then nobody else notices. The metrics are always of the whole group, so that the alarm
 * sees a partition that nobody holds.
 *
 * Returns a function that removes the checks.
 */
export function watchWriter(options: WatchOptions): () => void {
  const { bus, store, assigned, read_side_waits, health, metrics, clock } = options;
  const limit_seconds = STUCK_LIMIT_SECONDS;
  let positions: readonly PartitionPosition[] = [];

  const ofGroup = createWatchdog({
    limit_seconds,
    clock,
    observe: (seconds) => metrics.stuck_for_seconds.set(WORKER, seconds),
    look: async () => {
      positions = await bus.positions(GROUPS.writer, REQUEST_TOPICS).catch((error: unknown) => {
        metrics.lag.set(WORKER, Number.NaN); // nobody knows: the last value would look like a fresh one
        throw error;
      });
      metrics.lag.set(
        WORKER,
        positions.reduce((sum, position) => sum + lagOf(position), 0),
      );
      return positions.map((position) => workloadOf(position, true));
    },
  });
  const ofThisWriter = createWatchdog({
    limit_seconds,
    clock,
    observe: () => {},
    look: async () => {
      const held = assigned();
      const isJudged = ({ partition }: PartitionPosition) =>
        held.length === 0 || held.includes(partition);
      return positions.map((position) => workloadOf(position, isJudged(position)));
    },
  });

  const removals = [
    health.add('readiness', 'ledger_writer', async () => {
      await ofGroup();
      return ofThisWriter();
    }),
    health.add('readiness', 'ledger_writer_event_store', storeCheck(store, clock)),
    health.add('readiness', 'ledger_writer_read_side', () => {
      const waiting_ms = read_side_waits.waitingMs();
      if (waiting_ms < WAIT_LIMIT_MS) return undefined;
      return `the read side is too far behind to decide, for ${Math.round(waiting_ms)} ms`;
    }),
  ];
  return () => {
    for (const remove of removals) remove();
  };
}

/** A partition that is not judged counts as idle: once it is, the time limit starts anew. */
const workloadOf = (position: PartitionPosition, is_judged: boolean): Workload => ({
  name: `${position.topic}/${position.partition}`,
  lag: is_judged ? lagOf(position) : 0,
  position: position.committed,
});
