import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

/**
 * A free loopback port for the server of this data directory: that of the server that ran last when it
 * can be had, since other processes go on looking for it there.
 */
export async function serverPort(folder: string): Promise<number> {
  const last = await lastPort(folder);
  return last === undefined ? freePort(0) : freePort(last).catch(() => freePort(0));
}

/** By the command line that Postgres keeps. */
async function lastPort(folder: string): Promise<number | undefined> {
  const line = await readFile(join(folder, 'postmaster.opts'), 'utf8').catch(() => '');
  const [, port] = /"port=(\d+)"/.exec(line) ?? [];
  return port === undefined ? undefined : Number(port);
}

/** This port, 0 for any; rejects when it is taken. */
async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(wanted, '127.0.0.1', resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
