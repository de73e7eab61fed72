import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Requests under way get so long to be answered; a caller that is cut off repeats its request. */
const SETTLE_MS = 10_000;

/**
 * Watches a server's connections. What it returns is called as the server closes: it ends those that
 * never sent a whole request, which Node does not count as idle (a probe, a browser's preconnect) and
 * for which a close would wait, and after a while all others.
 */
export function watchConnections(server: Server): () => void {
  const silent = new Set<Socket>();
  server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({ socket }) => silent.delete(socket));
  return () => {
    for (const socket of silent) socket.destroy();
    setTimeout(() => server.closeAllConnections(), SETTLE_MS).unref();
  };
}
