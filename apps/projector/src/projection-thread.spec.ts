import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { embeddedEventStore, type EventStore } from '#libs/event-store';
import { createHealth, createMetrics } from '#libs/platform';
import { balance, projectedUpTo } from '#libs/read-models';
import { testReadModels, type TestReadModels } from '../../../test/fixtures/read-models.js';
import { appendTo } from '../../../test/fixtures/recorded-store.js';
import { startProjectionThread } from './projection-thread.js';
import type { Projector } from './projection.js';

let models: TestReadModels;
let store: EventStore;
let running: Projector | undefined;
beforeEach(async () => {
  models = await testReadModels();
  const { host, pathname } = new URL(models.url);
  store = await embeddedEventStore(models.pool, { exchange: host + pathname });
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  await store.close();
  await models.drop();
});

async function start(env: Record<string, string> = {}) {
  const [health, metrics] = [createHealth(), createMetrics()];
  const failures: string[] = [];
  running = await startProjectionThread({
    env: {
      POSTGRES_URL: models.url,
      KAFKA_BROKERS: 'embedded',
      EVENTSTORE_URL: 'embedded',
      LOG_LEVEL: 'silent',
      ...env,
    },
    health,
    metrics,
    fail: (error, message) => failures.push(`${message}: ${String(error)}`),
  });
  const readiness = async () => (await health.report('readiness')).checks['projector'];
  return { projector: running, readiness, metrics, failures };
}

let appended = 0;
beforeEach(() => void (appended = 0));
const append = async () => {
  await appendTo(store, models.recorder.recorded.slice(appended));
  appended = models.recorder.recorded.length;
};

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await sleep(5);
};
const untilProjected = (events: number) =>
  until(async () => (await projectedUpTo(models.pool)).events === events);

it('projects what stands there and what comes, and measures it for its owner', async () => {
  const { recorder, pool } = models;
  const alice = recorder.account('alice');
  recorder.grant(alice, 100);
  await append();
  const { readiness, metrics, failures, projector } = await start();
  await untilProjected(1);
  for (let i = 0; i < 20; i += 1) recorder.use(alice, 'text.generation');
  await append();
  await untilProjected(21);

  expect(await balance(pool, 'acme', 'alice', recorder.now)).toMatchObject({ available: 80n });
  expect(await readiness()).toBe('ok');
  const text = await metrics.registry.metrics();
  expect(text).toContain('ledger_batch_messages_sum{worker="projector"} 21');
  expect(text).toContain('ledger_stuck_for_seconds{worker="projector"} 0');
  await projector.close();
  running = undefined;
  recorder.use(alice, 'text.generation');
  await append();
  await sleep(200);
  expect(await projectedUpTo(pool)).toMatchObject({ events: 21 });
  expect(failures).toEqual([]);
});

it('says why it has stopped for good', async () => {
  const { recorder } = models;
  const alice = recorder.account('alice');
  recorder.grant(alice, 100);
  recorder.forge(alice, { type: 'CreditsDoubled' });
  await append();
  const { projector, readiness } = await start();
  const { message } = await projector.broken;
  expect(message).toContain('account-acme/alice at revision 1: cannot be read');
  expect(await readiness()).toBe(`stopped: ${message}`);
});

it('does not start on a configuration that cannot be read', async () => {
  await expect(start({ EVENTSTORE_URL: '' })).rejects.toThrow('EVENTSTORE_URL');
});

it('a thread that ends by itself is told, and is not ready', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thread-'));
  const end = join(folder, 'end');
  const script = `import { existsSync } from 'node:fs';
    setInterval(() => existsSync('${end}') && process.exit(7), 10);`;
  const preload = `data:text/javascript;base64,${Buffer.from(script).toString('base64')}`;
  const { failures, readiness } = await start({ NODE_OPTIONS: `--import ${preload}` });
  await mkdir(end);
  await until(() => failures.length > 0);
  expect(failures[0]).toContain('has ended with code 7');
  expect(await readiness()).toContain('no answer');
  await expect(running!.close()).rejects.toThrow('has ended');
  running = undefined;
  await rm(folder, { recursive: true });
});
