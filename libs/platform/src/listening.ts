import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Configuration } from './configuration.js';

/** Whoever starts the process can fix it, and the message says how: no stack is of use. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
}

/** Why an address cannot be listened on, by the code of the error. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use: set PORT to a free one',
  EACCES: 'is not allowed to this user: set PORT to one above 1023',
  EADDRNOTAVAIL: 'is no address of this machine: set HOST to one that is',
};

/** Listens on HOST and PORT. Throws CannotStart when that is for somebody else to fix. */
export async function listeningOn(
  { host, port }: Pick<Configuration, 'host' | 'port'>,
  listen: (address: { readonly host: string; readonly port: number }) => Promise<unknown>,
): Promise<void> {
  try {
    await listen({ host, port });
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ''];
    if (reason === undefined) throw error;
    throw new CannotStart(`port ${port} on ${host} ${reason}`, { cause: error });
  }
}

/** Where a server listens: the address that was bound, which may be all of them (0.0.0.0). */
export function boundUrl(server: Pick<Server, 'address'>): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
