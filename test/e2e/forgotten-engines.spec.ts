import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const start = (app: string) =>
  spawnSync(
    process.execPath,
    [fileURLToPath(new URL(`../../apps/${app}/src/main.js`, import.meta.url))],
    // Nothing of this process: its environment may name engines.
    { env: { PORT: '0', DATA_DIR: '/dev/shm/never-made' }, encoding: 'utf8', timeout: 30_000 },
  );

it.each(['usage-gateway', 'ledger-writer', 'projector', 'finance-api'])(
  '%s does not start on a local disk because its environment was not loaded',
  (app) => {
    const { status, stderr } = start(app);
    expect(status).toBe(1);
    for (const name of ['KAFKA_BROKERS', 'EVENTSTORE_URL', 'POSTGRES_URL']) {
      expect(stderr).toContain(name);
    }
    expect(stderr).toContain('the word embedded');
  },
  40_000,
);
