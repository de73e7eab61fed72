import type { ChildProcess } from 'node:child_process';
import { endingOf, type Environment, type ThrowAway } from '#apps/standalone';
import { createTopics, ledgerTopics } from '#libs/message-bus';
import { startKafka } from '../../infra/kafka/cluster.js';
import { startEventStore } from '../event-store-process.js';
import { withAdmin } from '../kafka.js';
import { freshDatabase, postmasterPid } from '../postgres.js';

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

async function openEmbedded({ folder }: ThrowAway): Promise<Backing> {
  return {
    env: {},
    async kill9() {
      process.kill(await postmasterPid(folder), 'SIGKILL');
    },
    end: async () => {},
  };
}

const PARTITIONS = 16;

async function openDistributed(kept: ThrowAway): Promise<Backing> {
  const kafka = await startKafka({ nodes: 1 });
  try {
    await withAdmin(kafka.brokers, (admin) => createTopics(admin, ledgerTopics(PARTITIONS), 1));
    const database = await freshDatabase();
    let store = await startEventStore(kept, 0);
    const { port, url } = store;
    return {
      env: {
        KAFKA_BROKERS: kafka.brokers.join(','),
        EVENTSTORE_URL: url,
        POSTGRES_URL: database.url,
      },
      async kill9() {
        await Promise.all([kafka.kill(1), killed(store.child)]);
        [store] = await Promise.all([startEventStore(kept, port), kafka.start(1)]);
      },
      async end() {
        await Promise.all([kafka.stop(), database.drop()]);
      },
    };
  } catch (error) {
    await kafka.stop();
    throw error;
  }
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = endingOf(child);
  child.kill('SIGKILL');
  await ended;
}
