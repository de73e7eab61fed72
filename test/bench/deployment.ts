import type { ThrowAway } from '#apps/standalone';
import { createTopics, ledgerTopics } from '#libs/message-bus';
import { startEmbeddedPostgres } from '#libs/platform';
import { freePorts, startKafka } from '../../infra/kafka/cluster.js';
import { openQuietEngines } from '../engines.js';
import { startEventStore } from '../event-store-process.js';
import { withAdmin } from '../kafka.js';
import { postmasterPid } from '../postgres.js';
import { startApp, stopApp, untilReady, type App } from './app-process.js';
import { cpuClock, oneProcess, processTree, thisProcess, type CpuClock } from './cpu.js';
import { driverOf, type Driver } from './driver.js';
import { BENCH_KEY } from './http.js';

const PARTITIONS = 16;
const APPS = { gateway: 'usage-gateway', writer: 'ledger-writer', projector: 'projector' } as const;

/** Each one process but Postgres; `load` is this one, which sends the requests and watches. */
export type ProcessName = 'load' | keyof typeof APPS | 'kafka' | 'event_store' | 'postgres';

/** The ledger as in production: a process for each app, a broker, an event store and a Postgres. */
export interface Deployment extends Driver {
  /** Of the gateway. */
  readonly url: string;
  readonly cpu: CpuClock<ProcessName>;
  close(): Promise<void>;
}

type Opened = (() => Promise<unknown>)[];

export async function startDeployment(kept: ThrowAway): Promise<Deployment> {
  const opened: Opened = [];
  const close = async () => {
    for (let last = opened.pop(); last; last = opened.pop()) await last();
  };
  try {
    return { ...(await deploy(kept, opened)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function deploy(kept: ThrowAway, opened: Opened): Promise<Omit<Deployment, 'close'>> {
  const { env, clocks } = await startServers(kept, opened);
  const engines = await openQuietEngines(env);
  opened.push(() => engines.close());
  const [gateway, writer, projector] = await Promise.all([
    openApp(APPS.gateway, env, kept, opened),
    openApp(APPS.writer, env, kept, opened),
    openApp(APPS.projector, env, kept, opened),
  ]);
  return {
    ...(await driverOf(engines)),
    url: gateway.url,
    cpu: cpuClock({
      load: thisProcess,
      gateway: gateway.clock,
      writer: writer.clock,
      projector: projector.clock,
      ...clocks,
    }),
  };
}

/** What keeps the data; durable as far as each of them goes. */
async function startServers(kept: ThrowAway, opened: Opened) {
  const kafka = await startKafka({ nodes: 1, jvm: 'full_speed' });
  opened.push(() => kafka.stop());
  await withAdmin(kafka.brokers, (admin) => createTopics(admin, ledgerTopics(PARTITIONS), 1));
  const data = { data_dir: kept.folder, access: 'own', fsync: true } as const;
  const postgres = await startEmbeddedPostgres(data);
  opened.push(() => postgres.stop());
  const event_store = await startEventStore(kept);
  opened.push(() => stopApp(event_store.child));
  const [kafka_pid, postmaster] = [kafka.pid(1), await postmasterPid(kept.folder)];
  return {
    env: {
      KAFKA_BROKERS: kafka.brokers.join(','),
      EVENTSTORE_URL: event_store.url,
      POSTGRES_URL: postgres.url,
    },
    clocks: {
      kafka: () => oneProcess(kafka_pid),
      event_store: () => oneProcess(event_store.child.pid),
      postgres: () => processTree(postmaster),
    },
  };
}

async function openApp(app: App, env: Record<string, string>, kept: ThrowAway, opened: Opened) {
  const [port] = await freePorts(1);
  const API_KEYS = JSON.stringify([BENCH_KEY]);
  const child = startApp(app, { ...env, PORT: String(port), API_KEYS }, kept);
  opened.push(() => stopApp(child));
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url);
  return { url, clock: () => oneProcess(child.pid) };
}
