import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endingOf, type Environment, type ThrowAway } from '#apps/standalone';
import { createTopics, ledgerTopics } from '#libs/message-bus';
import { startKafka } from '../../infra/kafka/cluster.js';
import { withAdmin } from '../kafka.js';
import { freshDatabase } from '../postgres.js';

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
      const text = await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8');
      process.kill(Number.parseInt(text, 10), 'SIGKILL');
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
    const { port } = store;
    return {
      env: {
        KAFKA_BROKERS: kafka.brokers.join(','),
        EVENTSTORE_URL: `esdb://127.0.0.1:${port}?tls=false`,
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

const EVENT_STORE = fileURLToPath(new URL('../eventstore-server/main.js', import.meta.url));

interface EventStoreProcess {
  readonly child: ChildProcess;
  readonly port: number;
}

/** The test double as a process of its own, with its events in the folder. */
async function startEventStore(kept: ThrowAway, port: number): Promise<EventStoreProcess> {
  const args = [EVENT_STORE, '--port', String(port), '--dir', join(kept.folder, 'eventstore')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  kept.adopt(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const listening = /listening on esdb:\/\/[^:]+:(\d+)/.exec(line);
    if (listening) return { child, port: Number(listening[1]) };
  }
  throw new Error(`the event store double ended with ${await endingOf(child)}`);
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = endingOf(child);
  child.kill('SIGKILL');
  await ended;
}
