import type { EventReader } from '#libs/event-store';
import { createWatchdog, within, type Clock, type Health, type Logger } from '#libs/platform';
import type { Pool } from 'pg';
import { ProjectionRun, WORKER, type ProjectorMetrics } from './projection-run.js';

export interface ProjectionOptions {
  readonly engines: {
    readonly store: Pick<EventReader, 'subscribe' | 'holds' | 'readAll'>;
    readonly pool: Pool;
  };
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: ProjectorMetrics;
  readonly clock: Clock;
}

const STUCK_LIMIT_SECONDS = 30;
/** Less than a health check may take: its answer then says what does not answer. */
const LOOK_LIMIT_MS = 1_500;

export interface Projector {
  /** Resolves with the reason when it stops for good; stays pending otherwise. */
  readonly broken: Promise<Error>;
  /** Writes what is in hand and stops. */
  close(): Promise<void>;
}

/** Projects events until it is closed. */
export function startProjection(options: ProjectionOptions): Projector {
  const run = new ProjectionRun({ ...options, ...options.engines });
  const unwatch = watch(run, options);
  return {
    broken: new Promise((resolve) => {
      void run.ended.then(() => run.broken && resolve(run.broken));
    }),
    close() {
      unwatch();
      return run.close();
    },
  };
}

/** Not ready once it has stopped for good, or while events wait and none is projected. */
function watch(run: ProjectionRun, { health, metrics, clock }: ProjectionOptions): () => void {
  const labels = { worker: WORKER };
  let asking: Promise<number> | undefined;

  /** How many events are known to wait. One that waits for its answer is shared, however many ask. */
  function waiting(): Promise<number> {
    asking ??= run
      .nextWaiting()
      .then((event) => run.in_hand || Number(event !== undefined))
      .finally(() => (asking = undefined));
    return within(LOOK_LIMIT_MS, asking, 'asking the event store what waits');
  }
  const watchdog = createWatchdog({
    look: async () => {
      const lag = await waiting().catch((error: unknown) => {
        metrics.lag.set(labels, Number.NaN); // nobody knows: the last value would look like a fresh one
        throw error;
      });
      if (!run.standing_by) metrics.lag.set(labels, lag);
      return [{ name: 'events', lag, position: run.checkpoint?.position }];
    },
    limit_seconds: STUCK_LIMIT_SECONDS,
    observe: (seconds) => metrics.stuck_for_seconds.set(labels, seconds),
    clock,
  });
  return health.add('readiness', WORKER, async () => {
    if (run.broken !== undefined) return `stopped: ${run.broken.message}`;
    return watchdog();
  });
}
