import { GROUPS, TOPICS } from '#libs/contracts';
import { BatchTransport, type MessageBus } from '#libs/message-bus';
import { nestLogger } from '#libs/platform';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { startProjection, type ProjectionOptions, type Projector } from './projection.js';
import { startProjectionThread, type ThreadOptions } from './projection-thread.js';
import { ProjectorModule } from './projector.module.js';

const MAX_DEAD_LETTERS = 500;

interface ProjectorOptions extends ProjectionOptions {
  readonly engines: ProjectionOptions['engines'] & { readonly bus: MessageBus };
}

/** Projects events and files dead letters until it is closed. */
export const startProjector = (options: ProjectorOptions): Promise<Projector> =>
  startBoth(options, () => startProjection(options));

/** The same, with the projection in a thread of its own: it takes no time from the other workers. */
export const startThreadedProjector = (
  options: Pick<ProjectorOptions, 'engines' | 'logger'> & ThreadOptions,
): Promise<Projector> => startBoth(options, () => startProjectionThread(options));

async function startBoth(
  options: Pick<ProjectorOptions, 'engines' | 'logger' | 'metrics'>,
  start: () => Projector | Promise<Projector>,
): Promise<Projector> {
  const filing = await startFiling(options);
  try {
    const projection = await start();
    return {
      broken: projection.broken,
      async close() {
        await projection.close();
        await filing.close();
      },
    };
  } catch (error) {
    await filing.close();
    throw error;
  }
}

async function startFiling({
  engines,
  logger,
  metrics,
}: Pick<ProjectorOptions, 'engines' | 'logger' | 'metrics'>) {
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
  return app;
}
