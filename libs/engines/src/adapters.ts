import { TOPICS } from '#libs/contracts';
import { embeddedEventStore, type EventStore } from '#libs/event-store';
import { embeddedMessageBus, type MessageBus } from '#libs/message-bus';
import { startEmbeddedPostgres, type Configuration, type Logger } from '#libs/platform';
import type { Pool } from 'pg';

/** Partitions of the embedded bus, fixed when its tables are made. */
const PARTITIONS = 16;

export interface PostgresServer {
  readonly url: string;
  stop(): Promise<void>;
}

interface Needs {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly access: 'own' | 'share';
}

export async function openPostgres({
  configuration,
  logger,
  access,
}: Needs): Promise<PostgresServer> {
  const { postgres, data_dir } = configuration;
  if (postgres.kind === 'external') {
    return { url: postgres.url.reveal(), stop: async () => {} };
  }
  return startEmbeddedPostgres({
    data_dir,
    access,
    fsync: true,
    on_error: (err) => logger.error({ err }, 'embedded postgres'),
  });
}

export async function openEventStore(
  { event_store }: Configuration,
  pool: Pool,
  logger: Logger,
): Promise<EventStore> {
  if (event_store.kind !== 'embedded') throw new Error('not yet');
  return embeddedEventStore(pool, {
    on_failure: (err, attempt) => logger.warn({ err, attempt }, 'event store: a read failed'),
  });
}

export async function openMessageBus(
  { message_bus }: Configuration,
  pool: Pool | undefined,
  logger: Logger,
): Promise<MessageBus> {
  if (message_bus.kind !== 'embedded') throw new Error('not yet');
  return embeddedMessageBus(pool!, {
    topics: Object.values(TOPICS),
    partitions: PARTITIONS,
    on_error: (err) => logger.warn({ err }, 'message bus'),
  });
}
