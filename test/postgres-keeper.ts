import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';

/**
 * Keeps the test run's Postgres: started for the first test that asks on the port printed to stdout,
 * ended together with its folder when stdin closes, that is, when Jest ends, however it ends.
 */
const data_dir = join(tmpdir(), `usage-ledger-test-${randomUUID()}`);
let starting: Promise<EmbeddedPostgres> | undefined;

const server = createServer((socket) => {
  socket.on('error', () => {}); // the test that asked was ended
  starting ??= startEmbeddedPostgres({ data_dir, access: 'own', fsync: false });
  starting.then(
    ({ url }) => socket.end(JSON.stringify({ url })),
    (error) => socket.end(JSON.stringify({ error: String(error) })),
  );
});

async function end(): Promise<void> {
  server.close();
  const postgres = await starting?.catch(() => undefined);
  await postgres?.stop();
  await rm(data_dir, { recursive: true, force: true });
  process.exit();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.stdin.on('end', () => void end()).resume();
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
