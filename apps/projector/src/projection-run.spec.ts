import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryEventStore, newMemoryLog, type EventStore } from '#libs/event-store';
import { createLogger, createMetrics, systemClock } from '#libs/platform';
import { projectedUpTo } from '#libs/read-models';
import { testReadModels, type TestReadModels } from '../../../test/fixtures/read-models.js';
import { appendTo } from '../../../test/fixtures/recorded-store.js';
import { ProjectionRun } from './projection-run.js';

let models: TestReadModels;
beforeEach(async () => {
  models = await testReadModels();
});
afterEach(() => models.drop());

const TIMES = {
  linger_ms: 1,
  stand_by_ms: 10,
  retry: { min_ms: 5, max_ms: 20 },
  silence_ms: 20,
};

function runOn(store: EventStore) {
  const logged = new PassThrough();
  const run = new ProjectionRun(
    {
      store,
      pool: models.pool,
      logger: createLogger('projector', 'info', logged),
      metrics: createMetrics(),
      clock: systemClock,
    },
    TIMES,
  );
  return { run, logged: () => String(logged.read() ?? '') };
}

const untilProjected = async (events: number): Promise<void> => {
  while ((await projectedUpTo(models.pool)).events !== events) await sleep(5);
};

it('leaves a subscription that is silent although there are events', async () => {
  const store = memoryEventStore(newMemoryLog());
  let deaf = true;
  const half_dead: EventStore = {
    ...store,
    async *subscribe(options) {
      if (!deaf) return yield* store.subscribe(options);
      deaf = false;
      const { signal } = options;
      while (!signal.aborted) await sleep(1_000, undefined, { signal }).catch(() => {});
    },
  };
  models.recorder.grant(models.recorder.account('alice'), 100);
  await appendTo(store, models.recorder.recorded);
  const { run, logged } = runOn(half_dead);
  await untilProjected(1);
  await run.close();
  expect(logged()).toContain('the subscription does not deliver account-acme/alice at 0');
});

it('does not mistake an idle store for a silent one', async () => {
  const store = memoryEventStore(newMemoryLog());
  let subscriptions = 0;
  const counting: EventStore = {
    ...store,
    subscribe(options) {
      subscriptions += 1;
      return store.subscribe(options);
    },
  };
  const { run } = runOn(counting);
  await sleep(10 * TIMES.silence_ms);
  await run.close();
  expect(subscriptions).toBe(1);
});

it('gives its subscription up when it loses the lock, and begins again when it has it back', async () => {
  const store = memoryEventStore(newMemoryLog());
  const signals: AbortSignal[] = [];
  const watched: EventStore = {
    ...store,
    subscribe(options) {
      signals.push(options.signal);
      return store.subscribe(options);
    },
  };
  const { run, logged } = runOn(watched);
  while (signals.length === 0) await sleep(5);
  const { rowCount } = await models.pool.query(
    `select pg_terminate_backend(pid) from pg_locks
     where locktype = 'advisory' and pid <> pg_backend_pid()
       and database = (select oid from pg_database where datname = current_database())`,
  );
  expect(rowCount).toBe(1);
  while (signals.length < 2) await sleep(5);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  models.recorder.grant(models.recorder.account('alice'), 100);
  await appendTo(store, models.recorder.recorded);
  await untilProjected(1);
  await run.close();
  expect(logged()).toContain('projecting failed; it begins again');
}, 20_000);

it('closes at once while it stands by, pauses, or waits for events', async () => {
  const store = memoryEventStore(newMemoryLog());
  const waiting = runOn(store);
  const standing_by = runOn(store);
  const failing = runOn({
    ...store,
    holds: () => Promise.reject(new Error('away')),
    subscribe: () => {
      throw new Error('away');
    },
  });
  await sleep(30);
  await Promise.all([failing.run.close(), standing_by.run.close(), waiting.run.close()]);
  expect(waiting.run.broken ?? standing_by.run.broken ?? failing.run.broken).toBeUndefined();
});
