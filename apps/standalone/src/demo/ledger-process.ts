import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const STANDALONE = fileURLToPath(new URL('../main.js', import.meta.url));
const TIE = new URL('tied-to-parent.js', import.meta.url).href;
const CLI = fileURLToPath(
  new URL('../../../../../apps/reconcile/usage-ledger.mjs', import.meta.url),
);

export type Environment = Readonly<Record<string, string | undefined>>;

/** The exit code, or the signal that ended it. */
export type Ending = number | NodeJS.Signals;

/** A server that runs as a process of its own: the whole ledger, or one app of it. */
export interface LedgerProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<Ending>;
}

interface LedgerProcessOptions {
  /** What is started; the standalone, as `npm start` does, when it is not said. */
  readonly main?: string;
  /** Nothing else of the ledger's own variables reaches it. */
  readonly env: Environment;
  /** Called with the process before it is ready. */
  readonly on_spawn: (child: ChildProcess) => void;
  /** Called with every line that it prints. */
  readonly on_line?: (line: string) => void;
}

const OWN = [
  'HOST',
  'PORT',
  'DATA_DIR',
  'LOG_LEVEL',
  'LEDGER_URL',
  'LEDGER_API_KEY',
  'LEDGER_DEV_KEY',
  'API_KEYS',
  'KAFKA_BROKERS',
  'KAFKA_SESSION_TIMEOUT_MS',
  'EVENTSTORE_URL',
  'POSTGRES_URL',
] as const;

/** The environment of this process with these variables in the place of the ledger's. */
const environmentOf = (env: Environment): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !OWN.some((own) => own === name)),
  ),
  ...env,
});

/** Resolves when it is ready. Rejects with what it printed when it ends before. */
export async function startLedgerProcess(options: LedgerProcessOptions): Promise<LedgerProcess> {
  const { main = STANDALONE, env, on_spawn, on_line } = options;
  const child = spawnTied(['--enable-source-maps', main], env, ['pipe', 'inherit']);
  on_spawn(child);
  const ended = endingOf(child);
  const printed: string[] = [];
  let is_ready = false;
  const url = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      on_line?.(line);
      if (is_ready) return;
      printed.push(line);
      const ready = /"url":"([^"]+)".*"msg":"(?:ready|listening)"/.exec(line);
      if (!ready) return;
      is_ready = true;
      resolve(ready[1]!);
    });
  });
  const failed = ended.then((ending) => {
    throw new Error(`the ledger ended with ${ending}:\n${printed.join('\n')}`);
  });
  failed.catch(() => {}); // it may end later, as it likes
  return { child, url: await Promise.race([url, failed]), ended };
}

export async function endingOf(child: ChildProcess): Promise<Ending> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return code ?? signal!;
}

type Output = 'pipe' | 'inherit';

/** A Node process that does not outlive this one. `output` is what becomes of stdout and stderr. */
const spawnTied = (args: readonly string[], env: Environment, output: [Output, Output]) =>
  spawn(process.execPath, ['--import', TIE, ...args], {
    env: environmentOf(env),
    stdio: ['pipe', ...output],
  });

/** `usage-ledger …` as a process of its own. */
export const spawnCli = (args: readonly string[], env: Environment, output: Output): ChildProcess =>
  spawnTied([CLI, ...args], env, [output, output]);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Empty when the answer is not JSON. */
  readonly body: Record<string, unknown>;
  readonly text: string;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One HTTP request to a ledger. Rejects when no answer comes. */
export async function callLedger(
  { url, key }: { readonly url: string; readonly key: string },
  { method, path, body, headers }: Call,
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const is_json = /[/+]json\b/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    body: is_json ? (JSON.parse(text) as Record<string, unknown>) : {},
    text,
  };
}
