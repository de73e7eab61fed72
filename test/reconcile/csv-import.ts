import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine } from './command-line.js';
import { startStandInGateway } from './stand-in-gateway.js';

const KEY = 'a-key';

/** `usage-ledger import` of files made for a test, through a stand-in gateway. */
export async function startCsvImport() {
  const folder = await mkdtemp(join(tmpdir(), 'import-'));
  const gateway = await startStandInGateway(KEY);
  return {
    gateway,
    async file(lines: readonly string[], name = 'usage.csv'): Promise<string> {
      const path = join(folder, name);
      await writeFile(path, [...lines, ''].join('\n'));
      return path;
    },
    /** Its columns `who` and `units`: an account, and what it is charged for. */
    run: (path: string, ...more: string[]) =>
      commandLine(
        ['import', path, '--account', 'who', '--item', 'text.generation=units', ...more],
        { env: { LEDGER_URL: gateway.url, LEDGER_DEV_KEY: KEY } },
      ),
    async close() {
      await gateway.close();
      await rm(folder, { recursive: true });
    },
  };
}

export const times = (count: number, line: string): string[] =>
  Array.from({ length: count }, () => line);

export const summaryOf = (lines: readonly Record<string, unknown>[]) =>
  lines.find((line) => line['type'] === 'summary');
