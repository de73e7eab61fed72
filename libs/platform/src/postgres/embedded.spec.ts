import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded.js';

// Servers start and stop here, perhaps on a machine that does other things as well.
jest.setTimeout(60_000);

const module_url = new URL('embedded.js', import.meta.url).href;
const stops: (() => Promise<unknown>)[] = [];
let data_dir: string;

beforeEach(() => {
  data_dir = join(tmpdir(), `usage-ledger-test-${randomUUID()}`);
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
  if (Number.isInteger(await postmaster().catch(() => undefined)))
    await (await start('own')).stop();
  await rm(data_dir, { recursive: true });
});

async function start(access: 'own' | 'share', fsync = false): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ data_dir, access, fsync });
  stops.push(() => postgres.stop());
  return postgres;
}

/** Another Node process that owns the server, until it is killed. */
async function owningProcess(): Promise<{ url: string; kill: () => Promise<void> }> {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module_url)};
    const options = { data_dir: ${JSON.stringify(data_dir)}, access: 'own', fsync: false };
    const { url } = await startEmbeddedPostgres(options);
    process.stdout.write(url);
    setInterval(() => {}, 1000);`;
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  stops.push(kill);
  return { url: String((await once(child.stdout!, 'data'))[0]), kill };
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const postmaster = async () =>
  Number((await readFile(join(data_dir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0]);

it('takes another port when its own is another program’s meanwhile', async () => {
  const first = await start('own');
  await first.stop();
  const other = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
  await once(other, 'listening');
  stops.push(async () => other.close());
  const second = await start('own');
  expect(second.url).not.toBe(first.url);
  expect(await query(second.url, 'select 7 as seven')).toEqual([{ seven: 7 }]);
});

it('keeps the data from one start to the next, and listens on loopback only', async () => {
  const first = await start('own');
  expect(new URL(first.url).hostname).toBe('127.0.0.1');
  await query(first.url, 'create table kept as select 7 as seven');
  expect(await query(first.url, 'show listen_addresses')).toEqual([
    { listen_addresses: '127.0.0.1' },
  ]);
  await first.stop();
  await expect(query(first.url, 'select 1')).rejects.toThrow('ECONNREFUSED');

  // Others that shared it look for it there.
  const second = await start('own');
  expect(second.url).toBe(first.url);
  expect(await query(second.url, 'select seven from kept')).toEqual([{ seven: 7 }]);
});

it('says what is wrong with a data directory that holds half a cluster', async () => {
  await mkdir(join(data_dir, 'postgres', 'base'), { recursive: true });
  await expect(start('own')).rejects.toMatchObject({
    name: 'CannotStart',
    message: expect.stringMatching(/cannot be used: .*postgres has no PG_VERSION: restore it/),
  });
});

it('says that its log cannot be written', async () => {
  await (await start('own')).stop();
  await rm(join(data_dir, 'postgres.log'));
  await mkdir(join(data_dir, 'postgres.log'));
  await expect(start('own')).rejects.toMatchObject({
    name: 'CannotStart',
    message: expect.stringMatching(/cannot be used: EISDIR.*postgres\.log/),
  });
});

it('one process owns a data directory, another may share it', async () => {
  const owner = await owningProcess();
  await expect(start('own')).rejects.toMatchObject({
    name: 'CannotStart', // logged in one line, without a stack
    message: expect.stringMatching(/in use by another process: owner, process \d+/),
  });

  const shared = await start('share');
  expect(shared.url).toBe(owner.url);
  await shared.stop();
  expect(await query(owner.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

it('adopts the server of a process that was killed', async () => {
  const owner = await owningProcess();
  await query(owner.url, 'create table kept as select 7 as seven');
  const pid = await postmaster();
  await owner.kill();

  const heir = await start('own');
  expect(await postmaster()).toBe(pid);
  expect(await query(heir.url, 'select seven from kept')).toEqual([{ seven: 7 }]);
  await heir.stop();
  await expect(query(heir.url, 'select 1')).rejects.toThrow('ECONNREFUSED');
});

it('never adopts a server that would lose data: fsync is as asked', async () => {
  const careless = await owningProcess();
  await careless.kill();
  const careful = await start('own', true);
  expect(await query(careful.url, 'show fsync')).toEqual([{ fsync: 'on' }]);
});

it('starts the server again on the same port when it dies', async () => {
  const { url } = await start('own');
  const pid = await postmaster();
  process.kill(pid, 'SIGKILL');
  let answer: unknown;
  while (answer === undefined) {
    answer = await query(url, 'select 1 as one').catch(() => sleep(20));
  }
  expect(answer).toEqual([{ one: 1 }]);
  expect(await postmaster()).not.toBe(pid);
});

const drafts = async () =>
  (await readdir(data_dir).catch(() => [])).filter((name) => name.includes('draft')).toSorted();

it('leaves no draft when it is stopped while it makes the cluster', async () => {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module_url)};
    process.on('SIGTERM', () => process.exit(143));
    await startEmbeddedPostgres({ data_dir: ${JSON.stringify(data_dir)}, access: 'own', fsync: false });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  stops.push(async () => child.kill('SIGKILL'));
  const holds = async (file: string) => {
    const [draft = ''] = await drafts();
    return (await readdir(join(data_dir, draft)).catch(() => [] as string[])).includes(file);
  };
  // initdb is at work: it has written its first files.
  while (!(await holds('PG_VERSION'))) await sleep(5);
  child.kill('SIGTERM');
  expect(await ended).toEqual([143, null]);
  expect(await readdir(data_dir)).toEqual([]);
});

it('removes the drafts of killed processes, and leaves those of living ones', async () => {
  const dead = spawn(process.execPath, ['-e', '']);
  const alive = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  stops.push(async () => alive.kill('SIGKILL'));
  await once(dead, 'exit');
  const draftOf = async (pid: number | undefined) => {
    await mkdir(join(data_dir, `postgres.draft-${pid}-0a/base`), { recursive: true });
    await writeFile(join(data_dir, `postgres.draft-${pid}-0a.password`), 'secret');
  };
  // A container's process has the number of the one that was killed before it.
  for (const { pid } of [dead, alive, process]) await draftOf(pid);
  await mkdir(join(data_dir, 'postgres.drafts'));
  await start('own');
  const left = `postgres.draft-${alive.pid}-0a`;
  expect(await drafts()).toEqual([left, `${left}.password`, 'postgres.drafts']);

  await draftOf(dead.pid);
  await start('share');
  expect(await drafts()).toHaveLength(3);
});

it('a shared start without an owner owns the server', async () => {
  const postgres = await start('share');
  await postgres.stop();
  await expect(query(postgres.url, 'select 1')).rejects.toThrow('ECONNREFUSED');
});
