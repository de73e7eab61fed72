import { PassThrough } from 'node:stream';
import { memoryEventStore, newMemoryLog, type EventStore } from '#libs/event-store';
import { createHealth, createLogger, createMetrics, systemClock } from '#libs/platform';
import { testReadModels, type TestReadModels } from '../../../test/fixtures/read-models.js';
import { startProjection } from './projection.js';

let models: TestReadModels;
beforeEach(async () => {
  models = await testReadModels();
});
afterEach(() => models.drop());

const never = () => new Promise<never>(() => {});

it.each([
  ['fails', () => Promise.reject(new Error('away')), /^away$/],
  ['is not answered', never, /given up after 1500 ms$/],
])('knows no lag while the look at the store %s, and counts on', async (_, look, why) => {
  let is_there = true;
  let passed_ms = 0;
  const memory = memoryEventStore(newMemoryLog());
  const store: EventStore = {
    ...memory,
    readAll: (range) =>
      is_there ? memory.readAll(range) : { [Symbol.asyncIterator]: () => ({ next: look }) },
  };
  const health = createHealth();
  const metrics = createMetrics();
  const projection = startProjection({
    engines: { store, pool: models.pool },
    logger: createLogger('projector', 'silent', new PassThrough()),
    health,
    metrics,
    clock: () => systemClock() + passed_ms,
  });
  const readiness = async () => (await health.report('readiness')).checks['projector'];
  const valueOf = async (metric: typeof metrics.lag) => (await metric.get()).values[0]?.value;
  expect(await readiness()).toBe('ok');
  expect(await valueOf(metrics.lag)).toBe(0);

  is_there = false;
  passed_ms = 40_000;
  expect(await readiness()).toMatch(why);
  expect(await valueOf(metrics.lag)).toBeNaN();
  expect(await readiness()).toMatch(why);
  expect(await valueOf(metrics.stuck_for_seconds)).toBeGreaterThanOrEqual(40);

  is_there = true;
  if (look === never) return projection.close();
  expect(await readiness()).toBe('ok');
  expect(await valueOf(metrics.lag)).toBe(0);
  await projection.close();
});
