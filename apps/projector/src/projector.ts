import { GROUPS, TOPICS, type InvariantBroken } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { BatchTransport, type MessageBus } from '#libs/message-bus';
import {
  createWatchdog,
  nestLogger,
  type Clock,
  type Health,
  type Logger,
  type Metrics,
} from '#libs/platform';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { Pool } from 'pg';
import { ProjectionRun, WORKER } from './projection-run.js';
import { ProjectorModule } from './projector.module.js';

export interface ProjectorOptions {
  readonly engines: {
    readonly bus: MessageBus;
    readonly store: Pick<EventReader, 'subscribe' | 'holds' | 'readAll'>;
    readonly pool: Pool;
  };
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const MAX_DEAD_LETTERS = 500;
const STUCK_LIMIT_SECONDS = 30;

export interface Projector {
  /** Resolves with the reason when it stops for good; stays pending otherwise. */
  readonly broken: Promise<InvariantBroken>;
  /** Writes what is in hand and stops. */
  close(): Promise<void>;
}

/** Projects events and files dead letters until it is closed. */
export async function startProjector(options: ProjectorOptions): Promise<Projector> {
  const { engines, logger, metrics } = options;
  const transport = new BatchTransport(engines.bus, {
    group: GROUPS.dead_letters,
    topics: [TOPICS.dead_letters],
    max_batch: MAX_DEAD_LETTERS,
    on_failure: (err, attempt) => {
      metrics.batch_failures_total.inc({ worker: GROUPS.dead_letters });
      logger.error({ err, attempt }, 'dead letters could not be filed; they come again');
    },
  });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(
    ProjectorModule.register(engines.pool),
    { strategy: transport, logger: nestLogger(logger), abortOnError: false },
  );
  await app.listen();
  const run = new ProjectionRun({ ...options, ...engines });
  const unwatch = watch(run, options);
  return {
    broken: new Promise((resolve) => {
      void run.ended.then(() => run.broken && resolve(run.broken));
    }),
    async close() {
      unwatch();
      await run.close();
      await app.close();
    },
  };
}

/** Not ready once it has stopped for good, or while events wait and none is projected. */
function watch(run: ProjectionRun, { health, metrics, clock }: ProjectorOptions): () => void {
  const watchdog = createWatchdog({
    lag: async () => run.in_hand || Number((await run.nextWaiting()) !== undefined),
    position: () => run.checkpoint?.position,
    limit_seconds: STUCK_LIMIT_SECONDS,
    clock,
  });
  return health.add('readiness', WORKER, async () => {
    if (run.broken !== undefined) return `stopped: ${run.broken.message}`;
    metrics.stuck_for_seconds.set({ worker: WORKER }, await watchdog.stuckForSeconds());
    return watchdog.check();
  });
}
