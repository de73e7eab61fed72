import {
  callLedger,
  endingOf,
  spawnCli,
  startLedgerProcess,
  type Answer,
  type Call,
  type LedgerProcess,
} from './ledger-process.js';
import { throwAway } from './throw-away.js';

const KEY = 'demo';
const LAST_LINES = 20;

/** A ledger on data that is gone when the demo ends, however it ends. */
export interface DemoLedger {
  readonly url: string;
  call(method: Call['method'], path: string, body?: unknown): Promise<Answer>;
  /** Runs `usage-ledger …` with its output on this terminal. Rejects unless it exits with 0. */
  cli(...args: string[]): Promise<void>;
  /** kill -9, and the next start on the same port. */
  killAndRestart(): Promise<void>;
  /** The last lines that it printed. */
  lastLines(): string;
  end(): Promise<void>;
}

export async function startDemoLedger(): Promise<DemoLedger> {
  const kept = await throwAway('usage-ledger-demo');
  const env = { DATA_DIR: kept.folder, LEDGER_DEV_KEY: KEY };
  const lines: string[] = [];
  const start = (port: string): Promise<LedgerProcess> =>
    startLedgerProcess({
      env: { ...env, PORT: port },
      on_spawn: (child) => kept.adopt(child),
      on_line(line) {
        lines.push(line);
        if (lines.length > LAST_LINES) lines.shift();
      },
    });
  let ledger = await start('0').catch(async (error: unknown) => {
    await kept.end();
    throw error;
  });
  const { url } = ledger;
  return {
    url,
    call: (method, path, body) => callLedger({ url, key: KEY }, { method, path, body }),
    async cli(...args) {
      const child = spawnCli(args, { ...env, LEDGER_URL: url }, 'inherit');
      kept.adopt(child);
      const ending = await endingOf(child);
      if (ending !== 0) throw new Error(`usage-ledger ${args.join(' ')} ended with ${ending}`);
    },
    async killAndRestart() {
      ledger.child.kill('SIGKILL');
      await ledger.ended;
      ledger = await start(new URL(url).port);
    },
    lastLines: () => lines.join('\n'),
    end: () => kept.end(),
  };
}
