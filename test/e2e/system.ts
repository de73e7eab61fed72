import type { Readable } from 'node:stream';
import { openEngines, type Engines } from '#libs/engines';
import { createLogger, parseConfiguration } from '#libs/platform';
import {
  callLedger,
  endingOf,
  spawnCli,
  startLedgerProcess,
  throwAway,
  type Answer,
  type Call,
  type Ending,
  type Environment,
  type LedgerProcess,
  type ThrowAway,
} from '#apps/standalone';
import { openBacking, type Backing, type EngineKind } from './backing.js';

const KEY = 'e2e';

/** How a command ended. */
export interface CommandRun {
  readonly ending: Ending;
  readonly stdout: string;
  readonly stderr: string;
  /** The objects of type `type` that it printed with --json. */
  lines<T = Record<string, unknown>>(type: string): T[];
}

export interface RunningCommand {
  readonly ended: Promise<CommandRun>;
  kill(signal: NodeJS.Signals): void;
}

/** A whole ledger in real processes on throw-away data. */
export interface System {
  readonly kind: EngineKind;
  readonly env: Environment;
  readonly url: string;
  readonly pid: number;
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
  /** Starts the ledger again, on the same port. */
  start(): Promise<void>;
  /** SIGTERM; resolves with how it ended. */
  stop(): Promise<Ending>;
  kill9(): Promise<void>;
  /** kill -9 of what keeps the data: Postgres, or the event store and the broker; they come back. */
  killStorage(): Promise<void>;
  /** The same engines, opened beside the ledger: to publish past the gateway and to plant faults. */
  openEngines(): Promise<Engines>;
  end(): Promise<void>;
}

/** Resolves when the ledger is ready. `env` adds to what its engines need. */
export async function startSystem(kind: EngineKind, env: Environment = {}): Promise<System> {
  const kept = await throwAway('usage-ledger-e2e');
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

function systemOn({ kind, kept, backing, env: more }: Parts): System {
  const env = { DATA_DIR: kept.folder, LEDGER_DEV_KEY: KEY, ...backing.env, ...more };
  const log: string[] = [];
  let port = '0';
  let ledger: LedgerProcess | undefined;
  /** The same while it is down. */
  const urlNow = () => `http://127.0.0.1:${port}`;
  const running = (): LedgerProcess => {
    if (ledger === undefined) throw new Error('the ledger does not run');
    return ledger;
  };

  const end = async (signal: NodeJS.Signals): Promise<Ending> => {
    const { child, ended } = running();
    child.kill(signal);
    const ending = await ended;
    ledger = undefined;
    return ending;
  };

  const startCli = (...args: string[]): RunningCommand => {
    const child = spawnCli(args, { ...env, LEDGER_URL: urlNow() }, 'pipe');
    kept.adopt(child);
    const [out, err] = [textOf(child.stdout!), textOf(child.stderr!)];
    const ended = Promise.all([endingOf(child), out, err]).then(([ending, stdout, stderr]) => ({
      ending,
      stdout,
      stderr,
      lines: <T>(type: string) => linesOf<T>(stdout, type),
    }));
    return { ended, kill: (signal) => void child.kill(signal) };
  };

  return {
    kind,
    env,
    log,
    get url() {
      return urlNow();
    },
    get pid() {
      return running().child.pid!;
    },
    call: (method, path, body, headers) =>
      callLedger({ url: urlNow(), key: KEY }, { method, path, body, headers: headers ?? {} }),
    cli: (...args) => startCli(...args).ended,
    startCli,
    async start() {
      ledger = await startLedgerProcess({
        env: { ...env, PORT: port },
        on_spawn: (child) => kept.adopt(child),
        on_line: (line) => void log.push(line),
      });
      ({ port } = new URL(ledger.url));
    },
    stop: () => end('SIGTERM'),
    async kill9() {
      await end('SIGKILL');
    },
    killStorage: () => backing.kill9(),
    openEngines: () =>
      openEngines({
        configuration: parseConfiguration(env),
        logger: createLogger('e2e', 'fatal'),
        name: 'e2e',
        access: 'share',
        on_fatal(error) {
          throw error;
        },
      }),
    async end() {
      await kept.end();
      await backing.end();
    },
  };
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += chunk;
  return text;
}

const linesOf = <T>(stdout: string, type: string): T[] =>
  stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as T & { readonly type: string })
    .filter((line) => line.type === type);
