import type { Engines } from '#libs/engines';
import {
  callLedger,
  startLedgerProcess,
  throwAway,
  type Answer,
  type Call,
  type Environment,
  type ThrowAway,
} from '#apps/standalone';
import { openQuietEngines } from '../engines.js';
import { openBacking, type Backing, type EngineKind } from './backing.js';
import { startCommand, type CommandRun, type RunningCommand } from './command.js';
import { serverProcess, type ServerProcess } from './server-process.js';

export const KEY = 'e2e';

/** A whole ledger in real processes on throw-away data. */
export interface System {
  readonly kind: EngineKind;
  readonly env: Environment;
  /** Everything that the ledger printed since the first start. */
  readonly log: readonly string[];
  call(
    method: Call['method'],
    path: string,
    body?: unknown,
    headers?: Call['headers'],
  ): Promise<Answer>;
  /** Runs `usage-ledger …` to its end. */
  cli(...args: string[]): Promise<CommandRun>;
  startCli(...args: string[]): RunningCommand;
  /** The same engines, opened beside the ledger: to publish past the gateway and to plant faults. */
  openEngines(): Promise<Engines>;
  end(): Promise<void>;
}

/** All of it in one process. */
export interface StandaloneSystem extends System, ServerProcess {
  /** kill -9 of what keeps the data: Postgres, or the event store and the broker; they come back. */
  killStorage(): Promise<void>;
}

/** Resolves when the ledger is ready. `env` adds to what its engines need; its data lie in `parent`. */
export async function startSystem(
  kind: EngineKind,
  env: Environment = {},
  parent?: string,
): Promise<StandaloneSystem> {
  const kept = await throwAway('usage-ledger-e2e', parent);
  let backing: Backing | undefined;
  try {
    backing = await openBacking(kind, kept);
    const system = systemOn({ kind, kept, backing, env });
    await system.start();
    return system;
  } catch (error) {
    await kept.end();
    await backing?.end();
    throw error;
  }
}

interface Parts {
  readonly kind: EngineKind;
  readonly kept: ThrowAway;
  readonly backing: Backing;
  readonly env: Environment;
}

function systemOn({ kind, kept, backing, env: more }: Parts): StandaloneSystem {
  const env = { DATA_DIR: kept.folder, LEDGER_DEV_KEY: KEY, ...backing.env, ...more };
  const log: string[] = [];
  const ledger = serverProcess((PORT) =>
    startLedgerProcess({
      env: { ...env, PORT },
      on_spawn: (child) => kept.adopt(child),
      on_line: (line) => void log.push(line),
    }),
  );
  return Object.assign(ledger, {
    ...besides(kept, env, () => ledger.url),
    kind,
    log,
    call: ((method, path, body, headers) =>
      callLedger(
        { url: ledger.url, key: KEY },
        { method, path, body, headers: headers ?? {} },
      )) satisfies System['call'],
    killStorage: () => backing.kill9(),
    async end() {
      await kept.end();
      await backing.end();
    },
  });
}

/** What works beside a ledger, whichever processes it is made of. */
export function besides(
  kept: ThrowAway,
  env: Environment,
  gatewayUrl: () => string,
): Pick<System, 'env' | 'cli' | 'startCli' | 'openEngines'> {
  const startCli = (...args: string[]) =>
    startCommand(kept, args, { ...env, LEDGER_URL: gatewayUrl() });
  return {
    env,
    cli: (...args) => startCli(...args).ended,
    startCli,
    openEngines: () => openQuietEngines(env),
  };
}
