import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, 'main.js');

it.each(['verify', 'status', 'dead-letters list', 'rebuild'])(
  'usage-ledger %s makes no ledger where there is none',
  async (command) => {
    const folder = await mkdtemp(join(tmpdir(), 'nowhere-'));
    const data_dir = join(folder, 'data');
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      const env = { PATH: process.env['PATH'], DATA_DIR: data_dir };
      execFile(process.execPath, [MAIN, ...command.split(' ')], { env }, (error, _out, text) =>
        resolve({ code: error?.code, stderr: text }),
      );
    });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `usage-ledger: no ledger in ${data_dir}: set DATA_DIR to the folder of one\n`,
    });
    expect(existsSync(data_dir)).toBe(false);
    await rm(folder, { recursive: true });
  },
);
