import type { EventStore } from '#libs/event-store';
import type { MessageBus } from '#libs/message-bus';
import { createPool } from '#libs/platform';
import { migrateOperations, migrateReadModels } from '#libs/read-models';
import type { Pool } from 'pg';
import { openEventStore, openMessageBus, openPostgres } from './adapters.js';
import type { EnginesOptions } from './options.js';

/** What every app runs on, whichever engines the configuration names. */
export interface Engines {
  readonly bus: MessageBus;
  readonly store: EventStore;
  /** The read models' Postgres, for the services' own work. */
  readonly pool: Pool;
  /** The same for the questions of people, so that a slow one never holds up a decision. */
  readonly query_pool: Pool;
  /** Holds a password: never log it. */
  readonly postgres_url: string;
  /** Closes in reverse order of opening. */
  close(): Promise<void>;
}

const SERVICE_CONNECTIONS = 16;
const QUERY_CONNECTIONS = 8;

/** Opens everything and brings the schemas up to date; closes what was opened when a step fails. */
export const openEngines = (options: EnginesOptions): Promise<Engines> =>
  opening(async (opened) => {
    const postgres_url = await postgresUrl(options, opened);
    const pool = poolOf(options, postgres_url, SERVICE_CONNECTIONS, opened);
    const query_pool = poolOf(options, postgres_url, QUERY_CONNECTIONS, opened);
    await migrateReadModels(pool);
    await migrateOperations(pool);
    const store = await openEventStore(options, pool, postgres_url);
    opened.push(() => store.close());
    const bus = await openMessageBus(options, pool);
    opened.push(() => bus.close());
    return { bus, store, pool, query_pool, postgres_url };
  });

/** The message bus alone, for a process that needs no database: with Kafka none is opened. */
export const openBusAlone = (options: EnginesOptions): Promise<Pick<Engines, 'bus' | 'close'>> =>
  opening(async (opened) => {
    const is_embedded = options.configuration.message_bus.kind === 'embedded';
    const pool = is_embedded
      ? poolOf(options, await postgresUrl(options, opened), SERVICE_CONNECTIONS, opened)
      : undefined;
    const bus = await openMessageBus(options, pool);
    opened.push(() => bus.close());
    return { bus };
  });

/**
 * Event store and read models without a message bus, for a thread beside one that has all of them and
 * has brought the schemas up to date.
 */
export const openStoreAlone = (
  options: EnginesOptions,
): Promise<Pick<Engines, 'store' | 'pool' | 'close'>> =>
  opening(async (opened) => {
    const url = await postgresUrl(options, opened);
    const pool = poolOf(options, url, SERVICE_CONNECTIONS, opened);
    const store = await openEventStore(options, pool, url);
    opened.push(() => store.close());
    return { store, pool };
  });

type Opened = (() => Promise<unknown>)[];

async function opening<T>(
  open: (opened: Opened) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const opened: Opened = [];
  const close = async () => {
    for (let last = opened.pop(); last; last = opened.pop()) await last();
  };
  try {
    return { ...(await open(opened)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function postgresUrl(options: EnginesOptions, opened: Opened): Promise<string> {
  const server = await openPostgres(options);
  opened.push(() => server.stop());
  return server.url;
}

function poolOf(
  { name, logger }: EnginesOptions,
  url: string,
  max_connections: number,
  opened: Opened,
): Pool {
  const on_error = (err: unknown) => logger.warn({ err }, 'postgres: a connection broke');
  const pool = createPool(url, { application_name: name, max_connections, on_error });
  opened.push(() => pool.end());
  return pool;
}
