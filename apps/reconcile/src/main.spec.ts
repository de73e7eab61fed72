import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, 'main.js');

const run = (argv: readonly string[], env: NodeJS.ProcessEnv) =>
  new Promise<{ code: unknown; stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      [MAIN, ...argv],
      { env: { PATH: process.env['PATH'], ...env } },
      (error, _out, stderr) => resolve({ code: error?.code, stderr }),
    ),
  );

it.each(['verify', 'status', 'dead-letters list', 'rebuild'])(
  'usage-ledger %s makes no ledger where there is none',
  async (command) => {
    const folder = await mkdtemp(join(tmpdir(), 'nowhere-'));
    const data_dir = join(folder, 'data');
    expect(await run(command.split(' '), { DATA_DIR: data_dir })).toEqual({
      code: 2,
      stderr: `usage-ledger: no ledger in ${data_dir}: set DATA_DIR to the folder of one\n`,
    });
    expect(existsSync(data_dir)).toBe(false);
    await rm(folder, { recursive: true });
  },
);

it('a folder that cannot be used is named, without a trace of the program', async () => {
  const data_dir = await mkdtemp(join(tmpdir(), 'half-'));
  await mkdir(join(data_dir, 'postgres/PG_VERSION'), { recursive: true });
  const { code, stderr } = await run(['status'], { DATA_DIR: data_dir });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^usage-ledger: the data directory \S+ cannot be used: EISDIR.*\n$/);
  await rm(data_dir, { recursive: true });
});

it('a server that is away is named, without a trace of the program', async () => {
  const env = {
    KAFKA_BROKERS: 'embedded',
    EVENTSTORE_URL: 'embedded',
    POSTGRES_URL: 'postgres://ledger:secret@127.0.0.1:1/ledger',
  };
  expect(await run(['status'], env)).toEqual({
    code: 2,
    stderr: 'usage-ledger: POSTGRES_URL: connect ECONNREFUSED 127.0.0.1:1\n',
  });
});
