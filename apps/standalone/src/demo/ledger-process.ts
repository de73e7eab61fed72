import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../../../../bin/usage-ledger.mjs', import.meta.url));
const KEY = 'demo';

export interface Answer {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: Record<string, unknown>;
}

/** A ledger that runs as a process of its own on a throw-away directory, as `npm start` runs it. */
export interface LedgerProcess {
  readonly url: string;
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer>;
  /** Runs `usage-ledger …` with its output on this terminal; throws unless it exits with 0. */
  cli(...args: string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startLedgerProcess(data_dir: string): Promise<LedgerProcess> {
  const env = { ...process.env, DATA_DIR: data_dir, PORT: '0', LEDGER_DEV_KEY: KEY };
  for (const engine of ['KAFKA_BROKERS', 'EVENTSTORE_URL', 'POSTGRES_URL']) {
    Reflect.deleteProperty(env, engine);
  }
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await readyUrl(child);
  return {
    url,
    async call(method, path, body) {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return {
        status: response.status,
        replayed: response.headers.get('idempotent-replayed') === 'true',
        body: (await response.json()) as Record<string, unknown>,
      };
    },
    async cli(...args) {
      const command = spawn(process.execPath, [CLI, ...args], {
        env: { ...env, LEDGER_URL: url },
        stdio: 'inherit',
      });
      const [code] = (await once(command, 'exit')) as [number | null];
      if (code !== 0) throw new Error(`usage-ledger ${args.join(' ')} exited with ${code}`);
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Reads the child's log until it is ready; throws when it ends before. */
function readyUrl(child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      const ready = /"url":"([^"]+)".*"msg":"ready"/.exec(line);
      if (ready) resolve(ready[1]!);
    });
    child.once('exit', (code) =>
      reject(new Error(`the ledger exited with ${code}:\n${lines.join('\n')}`)),
    );
  });
}
