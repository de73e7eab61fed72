import { rename, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { unusableFolder } from '../data-folder.js';
import { CannotStart } from '../listening.js';
import * as cluster from './cluster-process.js';
import { serverPort } from './server-port.js';
import { isRetriable } from './failure.js';
import { clientConfig } from './pool.js';

interface EmbeddedPostgresOptions {
  /** Holds the cluster (`postgres/`) and its log; made when missing, kept after stop(). */
  readonly data_dir: string;
  /**
   * `own`: this process starts and stops the server; only one process may. `share`: use the server
   * that another process owns, or own one when none runs.
   */
  readonly access: 'own' | 'share';
  /** false only for throw-away data. */
  readonly fsync: boolean;
  /** Called when the server was lost and is started again. */
  readonly on_error?: (error: unknown) => void;
}

export interface EmbeddedPostgres {
  readonly url: string;
  /** Stops the server if this process owns it. */
  stop(): Promise<void>;
}

/** Another process owns the server of this data directory. */
const inUse = (data_dir: string, owner: string) =>
  new CannotStart(
    `the data directory ${resolve(data_dir)} is in use by another process: ${owner}. Stop it, or ` +
      'set DATA_DIR to another folder',
  );

// A session lock is a lease without a clock: it is gone when the owner's connection is.
const OWNER_LOCK = 0x6f776e;
const OWNER_NAME = 'owner, process ';
/** How long the server takes at most to notice that a killed owner is gone. */
const TAKE_OVER_TIMEOUT_MS = 2_000;
const START_ATTEMPTS = 5;
const POLL_MS = 50;
const REVIVE_PAUSE_MS = 250;
const CONNECT_TIMEOUT_MS = 60_000;
const LOG_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * Postgres out of npm, on a free loopback port, with its data in a directory. A server that a killed
 * process left behind is adopted. If the server dies while owned, it is started again on the same port.
 * Throws CannotStart with what is in the way.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const files = cluster.clusterFiles(options.data_dir);
  const settings = { fsync: options.fsync };
  await cluster.initialise(files, settings).catch((error: unknown) => {
    throw unusableFolder(options.data_dir, error);
  });

  const lease = await takeOwnership(files, settings, options.access);
  if (lease.client !== undefined) return own(files, settings, lease, options.on_error);
  if (options.access === 'own') throw inUse(options.data_dir, lease.owner);
  return { url: lease.url, stop: async () => {} };
}

async function ensureRunning(
  files: cluster.ClusterFiles,
  settings: cluster.ServerSettings,
  port: number | undefined,
): Promise<cluster.ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    const server = await cluster.runningServer(files);
    if (server !== undefined) return server;
    await limitLog(files.log);
    try {
      await cluster.startServer(files, port ?? (await serverPort(files.folder)), settings);
    } catch (error) {
      // Another process took the port or was faster to start this very server.
      if (attempt === START_ATTEMPTS) throw error;
      await sleep(POLL_MS * attempt);
    }
  }
}

async function limitLog(log: string): Promise<void> {
  const size = await stat(log).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_LIMIT_BYTES) await rename(log, `${log}.1`);
}

async function urlOf(files: cluster.ClusterFiles, port: number): Promise<string> {
  const password = await cluster.superuserPassword(files);
  return `postgres://${cluster.SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
}

/** The connection that holds the lock, or who else holds it. */
interface Lease {
  readonly url: string;
  readonly client: pg.Client | undefined;
  readonly owner: string;
}

async function takeOwnership(
  files: cluster.ClusterFiles,
  settings: cluster.ServerSettings,
  access: 'own' | 'share',
  port?: number,
): Promise<Lease> {
  const { url, client } = await connect(files, settings, port);
  const deadline = performance.now() + (access === 'own' ? TAKE_OVER_TIMEOUT_MS : 0);
  while (!(await lock(client))) {
    if (performance.now() < deadline) {
      await sleep(POLL_MS);
      continue;
    }
    const { rows } = await client.query<{ application_name: string }>(
      `select a.application_name from pg_locks l join pg_stat_activity a using (pid)
       where l.locktype = 'advisory' and l.classid = 0 and l.objid = $1 and l.granted`,
      [OWNER_LOCK],
    );
    await client.end();
    return { url, client: undefined, owner: rows[0]?.application_name ?? 'one that just ended' };
  }
  if (await runsWith(client, settings)) return { url, client, owner: 'this one' };
  // Adopted from a process that asked for other settings.
  const server = await cluster.runningServer(files);
  await client.end();
  await cluster.stopServer(files);
  return takeOwnership(files, settings, access, server?.port);
}

async function lock(client: pg.Client): Promise<boolean> {
  const sql = 'select pg_try_advisory_lock($1) as mine';
  return (await client.query<{ mine: boolean }>(sql, [OWNER_LOCK])).rows[0]?.mine === true;
}

/** Starts the server when none runs, and waits for it: it may be recovering, or be about to stop. */
async function connect(
  files: cluster.ClusterFiles,
  settings: cluster.ServerSettings,
  port: number | undefined,
): Promise<{ url: string; client: pg.Client }> {
  const deadline = performance.now() + CONNECT_TIMEOUT_MS;
  for (;;) {
    const server = await ensureRunning(files, settings, port);
    const url = await urlOf(files, server.port);
    const name = OWNER_NAME + process.pid;
    const client = new pg.Client(clientConfig(url, { application_name: name }));
    client.on('error', () => {}); // followed by `end`
    try {
      await client.connect();
      return { url, client };
    } catch (error) {
      if (!isRetriable(error) || performance.now() > deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}

async function runsWith(client: pg.Client, settings: cluster.ServerSettings): Promise<boolean> {
  const { rows } = await client.query<{ fsync: string }>('show fsync');
  return rows[0]?.fsync === (settings.fsync ? 'on' : 'off');
}

function own(
  files: cluster.ClusterFiles,
  settings: cluster.ServerSettings,
  first: Lease,
  on_error: ((error: unknown) => void) | undefined,
): EmbeddedPostgres {
  const port = Number(new URL(first.url).port);
  let client: pg.Client | undefined;
  let stopping = false;
  let reviving = Promise.resolve();

  const hold = (lease: Lease) => {
    if (lease.client === undefined) {
      throw inUse(dirname(files.folder), lease.owner);
    }
    client = lease.client.once('end', () => {
      client = undefined;
      if (!stopping) reviving = revive();
    });
  };

  const revive = async () => {
    on_error?.(new Error('the embedded Postgres server was lost: starting it again'));
    while (!stopping && client === undefined) {
      try {
        hold(await takeOwnership(files, settings, 'own', port));
      } catch (error) {
        on_error?.(error);
        await sleep(REVIVE_PAUSE_MS);
      }
    }
  };

  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await reviving;
    await client?.end();
    if ((await cluster.runningServer(files)) === undefined) return;
    await cluster.stopServer(files);
  };

  hold(first);
  return { url: first.url, stop };
}
