import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { deadLetterOf, encodeDeadLetter, TOPICS, type Instant } from '#libs/contracts';
import { memoryEventStore, newMemoryLog, type EventStore, type MemoryLog } from '#libs/event-store';
import { memoryMessageBus, type MessageBus } from '#libs/message-bus';
import { createHealth, createLogger, createMetrics, systemClock } from '#libs/platform';
import { allDeadLetters, balance, projectedUpTo } from '#libs/read-models';
import {
  allRows,
  testReadModels,
  type TestReadModels,
} from '../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../test/fixtures/recorded-events.js';
import { appendTo } from '../../../test/fixtures/recorded-store.js';
import type { Projector } from './projection.js';
import { startProjector, startThreadedProjector } from './projector.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
let log: MemoryLog;
let store: EventStore;
let bus: MessageBus;
let running: Projector[];
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
  log = newMemoryLog();
  store = memoryEventStore(log);
  bus = memoryMessageBus({ topics: Object.values(TOPICS), partitions: 4 });
  running = [];
});
afterEach(async () => {
  for (const projector of running) await projector.close();
  await store.close();
  await bus.close();
  await models.drop();
});

async function start(over: Partial<EventStore> = {}) {
  const logged = new PassThrough();
  const [health, metrics] = [createHealth(), createMetrics()];
  const projector = await startProjector({
    engines: { bus, store: { ...store, ...over }, pool },
    logger: createLogger('projector', 'info', logged),
    health,
    metrics,
    clock: systemClock,
  });
  running.push(projector);
  const readiness = async () => (await health.report('readiness')).checks['projector'];
  return { projector, metrics, readiness, logged: () => String(logged.read() ?? '') };
}

let appended = 0;
beforeEach(() => void (appended = 0));
/** Appends what was recorded since. */
const append = async () => {
  await appendTo(store, recorder.recorded.slice(appended));
  appended = recorder.recorded.length;
};

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await sleep(5);
};
const untilProjected = (events: number) =>
  until(async () => (await projectedUpTo(pool)).events === events);

describe('events', () => {
  it('are projected, those from before its start and those that come later', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    recorder.use(alice, 'text.generation', 3);
    await append();
    const { readiness, metrics } = await start();
    await untilProjected(2);
    for (let i = 0; i < 20; i += 1) recorder.use(alice, 'text.generation');
    await append();
    await untilProjected(22);

    expect(await balance(pool, 'acme', 'alice', recorder.now)).toMatchObject({ available: 77n });
    expect(await readiness()).toBe('ok');
    expect(await metrics.registry.metrics()).toContain(
      'ledger_batch_messages_sum{worker="projector"} 22',
    );
  });

  it('of other streams are none of its business', async () => {
    const event = {
      event_id: crypto.randomUUID(),
      type: 'PriceBookPublished',
      data: '{}',
      meta: '{}',
    };
    await store.appendMany([{ stream: 'pricebook-acme', expected_revision: -1, events: [event] }]);
    recorder.grant(recorder.account('alice'), 100);
    await append();
    await start();
    await untilProjected(1);
    expect((await allRows(pool)).accounts).toHaveLength(1);
  });

  it('are written before it closes, and it goes on where it was', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    await append();
    const { projector } = await start();
    await untilProjected(1);
    await projector.close();
    recorder.use(alice, 'text.generation');
    await append();
    await start();
    await untilProjected(2);
    expect((await allRows(pool)).entries).toHaveLength(2);
  });
});

describe('it stops for good, is not ready, and says why', () => {
  it('at an event that it cannot read', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    await append();
    const { projector, readiness } = await start();
    await untilProjected(1);
    recorder.forge(alice, { type: 'CreditsDoubled' });
    await append();

    const reason = await projector.broken;
    expect(reason.message).toContain('account-acme/alice at revision 1: cannot be read');
    expect(await readiness()).toContain(`stopped: ${reason.message}`);
    expect(await projectedUpTo(pool)).toMatchObject({ events: 1 });
  });

  it('F14: at a store that does not hold its last event, and names the way out', async () => {
    recorder.grant(recorder.account('alice'), 100);
    await models.project();
    const { projector } = await start(); // on an empty store
    expect((await projector.broken).message).toMatch(/lost its tail.*usage-ledger rebuild/);
  });
});

describe('F23', () => {
  it('connections that break in the middle cost no event and no second charge', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 1_000);
    const { readiness } = await start();
    for (let round = 0; round < 4; round += 1) {
      for (let i = 0; i < 25; i += 1) recorder.use(alice, 'text.generation');
      await append();
      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
      );
    }
    await untilProjected(101);
    expect(await balance(pool, 'acme', 'alice', recorder.now)).toMatchObject({ available: 900n });
    expect(await readiness()).toBe('ok');
  });

  it('a failing statement is tried again until it succeeds', async () => {
    await pool.query('alter table read.entries rename to elsewhere');
    recorder.grant(recorder.account('alice'), 100);
    await append();
    const { logged, metrics } = await start();
    const failures = async () =>
      (await metrics.batch_failures_total.get()).values.find(
        ({ labels }) => labels.worker === 'projector',
      )?.value ?? 0;
    await until(async () => (await failures()) >= 2);
    expect(logged()).toContain('it begins again');
    await pool.query('alter table read.elsewhere rename to entries');
    await untilProjected(1);
  });
});

describe('two projectors', () => {
  it('take turns: the second stands by, and takes over when the first is gone', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    await append();
    const first = await start();
    await untilProjected(1);
    let subscriptions = 0;
    const second = await start({
      subscribe: (options) => {
        subscriptions += 1;
        return store.subscribe(options);
      },
    });
    recorder.use(alice, 'text.generation');
    await append();
    await untilProjected(2);
    expect({ subscriptions, ready: await second.readiness() }).toEqual({
      subscriptions: 0,
      ready: 'ok',
    });

    await first.projector.close();
    recorder.use(alice, 'text.generation');
    await append();
    await untilProjected(3);
    expect(subscriptions).toBe(1);
  });

  it('without the lock, too: whoever lost begins again from the stored checkpoint', async () => {
    recorder.grant(recorder.account('alice'), 100);
    await append();
    await start();
    await untilProjected(1);
    recorder.use(recorder.account('alice'), 'text.generation');
    await models.projection.loadCheckpoint();
    await models.projection.apply(recorder.recorded.slice(1)); // another projector was faster
    await append();
    recorder.use(recorder.account('alice'), 'text.generation');
    await append();
    await untilProjected(3);
    expect((await allRows(pool)).entries).toHaveLength(3);
  });
});

describe('dead letters', () => {
  it('are filed once, and what is no dead letter is filed as one', async () => {
    await start();
    const letter = deadLetterOf(
      {
        topic: TOPICS.usage,
        partition: 1,
        offset: 7,
        timestamp: '2026-01-31T12:00:00.000Z' as Instant,
        key: 'acme/alice',
        value: Buffer.from([0xff]),
        headers: {},
      },
      'undecodable',
      'not UTF-8',
    );
    const filed = { key: 'acme/alice', value: encodeDeadLetter(letter) };
    const garbage = ['{}', 'not JSON', null, Buffer.from([0xfe])];
    await bus.publish(TOPICS.dead_letters, [
      filed,
      ...garbage.map((value) => ({ key: 'acme/alice', value })),
      filed,
    ]);
    await until(async () => (await allDeadLetters(pool)).items.length === 5);
    const { items } = await allDeadLetters(pool);
    expect(items).toContainEqual(expect.objectContaining({ ...letter, tenant_id: 'acme' }));
    const others = items.filter((item) => item.source.topic === TOPICS.dead_letters);
    expect(others.map((item) => [item.reason, item.value])).toEqual(
      expect.arrayContaining([
        ['undecodable', '{}'],
        ['undecodable', 'not JSON'],
        ['undecodable', null],
        ['undecodable', Buffer.from([0xfe]).toString('base64')],
      ]),
    );
  });

  it('are filed by nobody when the projection could not be started', async () => {
    const starting = startThreadedProjector({
      engines: { bus, store, pool },
      logger: createLogger('projector', 'fatal', new PassThrough()),
      env: { EVENTSTORE_URL: '' },
      health: createHealth(),
      metrics: createMetrics(),
      fail: () => {},
    });
    await expect(starting).rejects.toThrow('EVENTSTORE_URL');
    await bus.publish(TOPICS.dead_letters, [{ key: 'acme/alice', value: 'not JSON' }]);
    await sleep(200);
    expect((await allDeadLetters(pool)).items).toEqual([]);
  });
});
