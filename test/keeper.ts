import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '#libs/platform';
import { startKafka } from '../infra/kafka/cluster.js';

/**
 * Keeps the servers of a test run: each is started for the first test that asks for it by name on the
 * port printed to stdout, and ended when stdin closes, that is, when Jest ends, however it ends.
 */
export type Service = 'postgres' | 'kafka';

interface Server {
  /** What a client needs: a URL, or `host:port` of the brokers. */
  readonly address: string;
  stop(): Promise<void>;
}

const data_dir = join(tmpdir(), `usage-ledger-test-${randomUUID()}`);

const start: Readonly<Record<Service, () => Promise<Server>>> = {
  async postgres() {
    const postgres = await startEmbeddedPostgres({ data_dir, access: 'own', fsync: false });
    return { address: postgres.url, stop: () => postgres.stop() };
  },
  async kafka() {
    const { brokers, stop } = await startKafka({ nodes: 1 });
    return { address: brokers.join(), stop };
  },
};

const running = new Map<Service, Promise<Server>>();

async function answer(socket: Socket, service: Service): Promise<void> {
  const server = running.get(service) ?? start[service]();
  running.set(service, server);
  try {
    socket.end(JSON.stringify({ address: (await server).address }));
  } catch (error) {
    socket.end(JSON.stringify({ error: String(error) }));
  }
}

const server = createServer((socket) => {
  socket.on('error', () => {}); // the test that asked was ended
  socket.once('data', (name) => void answer(socket, name.toString() as Service));
});

async function end(): Promise<void> {
  server.close();
  const stops = [...running.values()].map(async (one) => (await one).stop());
  await Promise.allSettled(stops);
  await rm(data_dir, { recursive: true, force: true });
  process.exit();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.stdin.on('end', () => void end()).resume();
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
