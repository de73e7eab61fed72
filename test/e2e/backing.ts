import { endingOf, type Environment, type ThrowAway } from '#apps/standalone';
import { createTopics, ledgerTopics } from '#libs/message-bus';
import { startEmbeddedPostgres } from '#libs/platform';
import { startKafka, type NodeCount, type RunningKafka } from '../../infra/kafka/cluster.js';
import { startEventStore } from '../event-store-process.js';
import { withAdmin } from '../kafka.js';
import { freshDatabase, postmasterPid } from '../postgres.js';
import { serverProcess, type ServerProcess } from './server-process.js';

/** Everything in Postgres that comes along, or a broker, an event store and a Postgres beside it. */
export type EngineKind = 'embedded' | 'distributed';

/** What keeps a ledger's data, apart from the ledger's own processes. */
export interface Backing {
  readonly env: Environment;
  /** kill -9 of it; resolves when it is back, or when its owner has to bring it back. */
  kill9(): Promise<void>;
  end(): Promise<void>;
}

export const openBacking = (kind: EngineKind, kept: ThrowAway): Promise<Backing> =>
  kind === 'embedded' ? openEmbedded(kept) : openDistributed(kept);

const openEmbedded = async (kept: ThrowAway): Promise<Backing> => ({
  env: {},
  kill9: () => killPostgres(kept),
  end: async () => {},
});

/** kill -9 of the Postgres in the folder; its owner starts it again. */
export async function killPostgres({ folder }: ThrowAway): Promise<void> {
  process.kill(await postmasterPid(folder), 'SIGKILL');
}

async function openDistributed(kept: ThrowAway): Promise<Backing> {
  const servers = await openServers(kept, 1, sharedPostgres);
  const { kafka, event_store } = servers;
  return {
    ...servers,
    async kill9() {
      await Promise.all([kafka.kill(1), event_store.kill9()]);
      await Promise.all([kafka.start(1), event_store.start()]);
    },
  };
}

interface Database {
  readonly url: string;
  end(): Promise<void>;
}

async function sharedPostgres(): Promise<Database> {
  const database = await freshDatabase();
  return { url: database.url, end: () => database.drop() };
}

/** A Postgres of this ledger alone, in the folder: one that can be killed. */
export async function ownPostgres({ folder }: ThrowAway): Promise<Database> {
  const postgres = await startEmbeddedPostgres({ data_dir: folder, access: 'own', fsync: false });
  return { url: postgres.url, end: () => postgres.stop() };
}

/** Reads show events late, as those of a replicated server do: nothing may count on less. */
const INDEX_DELAY_MS = 10;

const eventStore = (kept: ThrowAway): ServerProcess =>
  serverProcess(async (port) => {
    const { child, url } = await startEventStore(kept, {
      port: Number(port),
      index_delay_ms: INDEX_DELAY_MS,
    });
    return { child, url, ended: endingOf(child) };
  });

/** The three engines, each a server beside the ledger. */
export interface Servers {
  readonly env: Environment;
  readonly kafka: RunningKafka;
  readonly event_store: ServerProcess;
  end(): Promise<void>;
}

const PARTITIONS = 16;

/** Every topic has a copy on each broker. */
export async function openServers(
  kept: ThrowAway,
  brokers: NodeCount,
  openPostgres: (kept: ThrowAway) => Promise<Database>,
): Promise<Servers> {
  const kafka = await startKafka({ nodes: brokers });
  const ends = [() => kafka.stop()];
  const end = async () => {
    await Promise.all(ends.map((one) => one()));
  };
  try {
    const topics = ledgerTopics(PARTITIONS);
    await withAdmin(kafka.brokers, (admin) => createTopics(admin, topics, brokers));
    const postgres = await openPostgres(kept);
    ends.push(() => postgres.end());
    const event_store = eventStore(kept);
    await event_store.start();
    return {
      kafka,
      event_store,
      env: {
        KAFKA_BROKERS: kafka.brokers.join(','),
        EVENTSTORE_URL: event_store.url,
        POSTGRES_URL: postgres.url,
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}
