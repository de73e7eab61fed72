import { setTimeout as sleep } from 'node:timers/promises';
import { GROUPS, REQUEST_TOPICS, TOPICS } from '#libs/contracts';
import type { Engines } from '#libs/engines';
import { memoryEventStore } from '#libs/event-store';
import { memoryMessageBus, type Consumer } from '#libs/message-bus';
import { createHealth, createLogger, createMetrics, systemClock } from '#libs/platform';
import { jest } from '@jest/globals';
import { startLedgerWriter } from './ledger-writer.js';

afterEach(() => jest.useRealTimers());

/** A writer over memory whose Postgres never answers; sweeps begin when the test says so. */
async function writerWithoutPostgres() {
  jest.useFakeTimers({
    doNotFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'nextTick', 'queueMicrotask', 'Date'],
  });
  let answer = (_: Error) => {};
  const asked = jest.fn(
    () => new Promise<never>((_, reject) => (answer = (error) => reject(error))),
  );
  const memory = memoryMessageBus({ topics: Object.values(TOPICS), partitions: 2 });
  let consumer: Consumer | undefined;
  const bus: typeof memory = {
    ...memory,
    consume: async (options) => {
      const joined = await memory.consume(options);
      consumer ??= joined;
      return joined;
    },
    // Work waits on both partitions and nobody does it; the second one is named first.
    positions: async () =>
      [1, 0].map((partition) => {
        return { topic: TOPICS.requests, partition, begin: 0, end: 1, committed: null };
      }),
  };
  const pool = { connect: asked, query: asked } as unknown as Engines['pool'];
  const health = createHealth();
  let passed_ms = 0;
  const writer = await startLedgerWriter({
    engines: { bus, store: memoryEventStore(), pool } as unknown as Engines,
    logger: createLogger('ledger-writer', 'silent'),
    health,
    metrics: createMetrics(),
    clock: () => systemClock() + passed_ms,
  });
  return {
    writer,
    bus,
    health,
    asked,
    assigned: () => consumer!.assigned(),
    passSeconds: (seconds: number) => (passed_ms += seconds * 1_000),
    startSweep: () => jest.advanceTimersByTime(10_000),
    failPostgres: () => answer(new Error('gone')),
  };
}

it('gives its partitions up although a sweep is still running, and waits for that too', async () => {
  const { writer, asked, assigned, startSweep, failPostgres } = await writerWithoutPostgres();
  expect(assigned()).toEqual([0, 1]);
  startSweep();
  await sleep(1); // the sweep begins a moment after its timer
  expect(asked).toHaveBeenCalledTimes(1);
  let closed = false;
  const closing = writer.close().then(() => (closed = true));
  for (let n = 0; n < 200 && assigned().length > 0; n += 1) await sleep(5);
  expect(assigned()).toEqual([]);
  expect(closed).toBe(false);
  failPostgres();
  await closing;
});

it('answers in readiness for the partitions that it holds, and for nothing once it is closed', async () => {
  const { writer, bus, health, assigned, passSeconds } = await writerWithoutPostgres();
  const partitions = { group: GROUPS.writer, topics: REQUEST_TOPICS, max_batch: 1 };
  const other = await bus.consume({ ...partitions, handler: async () => {} });
  while (assigned().length > 1) await sleep(5);
  const checks = async () => (await health.report('readiness')).checks;
  expect(await checks()).toMatchObject({ ledger_writer: 'ok' });
  passSeconds(31);
  expect(await checks()).toMatchObject({ ledger_writer: expect.stringContaining('requests/0') });
  await other.close();
  await writer.close();
  expect(await checks()).toEqual({});
});
