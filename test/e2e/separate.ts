import { fileURLToPath } from 'node:url';
import {
  callLedger,
  startLedgerProcess,
  throwAway,
  type Answer,
  type Environment,
  type ThrowAway,
} from '#apps/standalone';
import { killPostgres, openServers, ownPostgres, type Servers } from './backing.js';
import { serverProcess, type ServerProcess } from './server-process.js';
import { besides, KEY, type System } from './system.js';

/** Every app a process of its own, on three brokers, an event store and a Postgres of this ledger. */
export interface SeparateSystem extends System, Pick<Servers, 'kafka' | 'event_store'> {
  readonly gateway: ServerProcess;
  readonly projector: ServerProcess;
  readonly finance_api: ServerProcess;
  /** The third does not run until it is started. */
  readonly writers: readonly [ServerProcess, ServerProcess, ServerProcess];
  /** kill -9; it is started again. */
  killPostgres(): Promise<void>;
}

/**
 * Resolves when all apps listen. A member of a group is missed after 3 s: a test should not wait for
 * the 20 s that are usual.
 */
export async function startSeparateSystem(): Promise<SeparateSystem> {
  const kept = await throwAway('usage-ledger-separate');
  let servers: Servers | undefined;
  try {
    servers = await openServers(kept, 3, ownPostgres);
    const system = systemOn(kept, servers);
    const { gateway, projector, finance_api, writers } = system;
    const first = [gateway, projector, finance_api, writers[0], writers[1]];
    await Promise.all(first.map((app) => app.start()));
    return system;
  } catch (error) {
    await servers?.end();
    await kept.end();
    throw error;
  }
}

function systemOn(kept: ThrowAway, servers: Servers): SeparateSystem {
  const env = {
    DATA_DIR: kept.folder,
    LEDGER_DEV_KEY: KEY,
    KAFKA_SESSION_TIMEOUT_MS: '3000',
    ...servers.env,
  };
  const log: string[] = [];
  const app = (name: string) => appProcess(name, kept, env, log);
  const gateway = app('usage-gateway');
  const projector = app('projector');
  const finance_api = app('finance-api');
  const writers = [app('ledger-writer'), app('ledger-writer'), app('ledger-writer')] as const;
  const apps = [gateway, projector, finance_api, ...writers];
  return {
    ...besides(kept, env, () => gateway.url),
    kind: 'distributed',
    kafka: servers.kafka,
    event_store: servers.event_store,
    gateway,
    projector,
    finance_api,
    writers,
    log,
    call(method, path, body, headers = {}) {
      if (path === '/readyz') return readiness(apps);
      const { url } = method === 'POST' ? gateway : finance_api;
      return callLedger({ url, key: KEY }, { method, path, body, headers });
    },
    killPostgres: () => killPostgres(kept),
    async end() {
      await servers.end(); // as long as Postgres is there: its owner would start it again
      await kept.end();
    },
  };
}

const appProcess = (name: string, kept: ThrowAway, env: Environment, log: string[]) =>
  serverProcess((PORT) =>
    startLedgerProcess({
      main: fileURLToPath(new URL(`../../apps/${name}/src/main.js`, import.meta.url)),
      env: { ...env, PORT },
      on_spawn: (child) => kept.adopt(child),
      on_line: (line) => void log.push(line),
    }),
  );

/** Of the first that is not ready, else of any. */
async function readiness(apps: readonly ServerProcess[]): Promise<Answer> {
  const answers = await Promise.all(
    apps
      .filter(({ is_at_work }) => is_at_work)
      .map(({ url }) => callLedger({ url, key: KEY }, { method: 'GET', path: '/readyz' })),
  );
  return answers.find(({ status }) => status !== 200) ?? answers[0]!;
}
