import { TOPICS } from '#libs/contracts';
import { embeddedEventStore, openEventStoreDb, type EventStore } from '#libs/event-store';
import { embeddedMessageBus, kafkaMessageBus, type MessageBus } from '#libs/message-bus';
import { startEmbeddedPostgres } from '#libs/platform';
import type { Pool } from 'pg';
import type { EnginesOptions } from './options.js';
import { storeFailures } from './store-failures.js';

/** Batches in hand at once: one waits for its database while the other decides. */
const LANES = 2;

interface PostgresServer {
  readonly url: string;
  stop(): Promise<void>;
}

export async function openPostgres({
  configuration,
  logger,
  access,
}: EnginesOptions): Promise<PostgresServer> {
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
  { configuration: { event_store }, logger, in_threads }: EnginesOptions,
  pool: Pool,
  postgres_url: string,
): Promise<EventStore> {
  const on_failure = storeFailures(logger);
  switch (event_store.kind) {
    case 'embedded':
      return embeddedEventStore(pool, {
        on_failure,
        ...(in_threads && { exchange: databaseOf(postgres_url) }),
      });
    case 'eventstoredb':
      return openEventStoreDb({ url: event_store.url.reveal(), on_failure });
  }
}

/** Stores on another database have nothing to hand over to this one. */
function databaseOf(postgres_url: string): string {
  const { host, pathname } = new URL(postgres_url);
  return host + pathname;
}

/** `pool` is of the embedded bus alone. */
export async function openMessageBus(
  { configuration, logger, name, on_fatal }: EnginesOptions,
  pool: Pool | undefined,
): Promise<MessageBus> {
  const { message_bus, partitions } = configuration;
  const topics = Object.values(TOPICS);
  const on_error = (err: unknown) => logger.warn({ err }, 'message bus');
  switch (message_bus.kind) {
    case 'embedded':
      if (!pool) throw new Error('the embedded message bus needs Postgres');
      return embeddedMessageBus(pool, { topics, partitions, on_error, lanes: LANES });
    case 'kafka':
      return kafkaMessageBus({
        connection: {
          ...message_bus,
          client_id: name,
          on_log: (level, message, fields) => logger[level](fields, `kafka: ${message}`),
        },
        topics,
        partitions,
        session_timeout_ms: message_bus.session_timeout_ms,
        lanes: LANES,
        on_error,
        on_fatal: (error) => on_fatal(error, 'the message bus cannot go on'),
      });
  }
}
