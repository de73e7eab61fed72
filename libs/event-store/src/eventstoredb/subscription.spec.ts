import { setTimeout as sleep } from 'node:timers/promises';
import { startEventStoreServer } from '../../../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../../../test/eventstore-server/server.js';
import * as streams from '../contract/streams.js';
import type { EventStore, RecordedEvent } from '../port.js';
import { connect } from './connection.js';
import { eventStoreDb } from './event-store-db.js';
import { newPageReader, type PageReader } from './pages.js';
import { subscription } from './subscription.js';

const { create, createAll, freshPrefix, notes } = streams;

let server: EventStoreServer;
let store: EventStore;
let failures: unknown[];
let ending: AbortController;

beforeEach(async () => {
  server = await startEventStoreServer();
  failures = [];
  ending = new AbortController();
  store = eventStoreDb({ url: server.url, on_failure: (error) => failures.push(error) });
});
afterEach(async () => {
  ending.abort();
  await store.close();
  await server.stop();
});

it('resumes from the last delivered event after any error: none is lost, none comes twice', async () => {
  const prefix = freshPrefix();
  const appends = Array.from({ length: 200 }, (_, n) => ({
    stream: `${prefix}${n}`,
    expected_revision: -1,
    events: notes(`stream ${n}`, 10),
  }));
  for (let n = 0; n < 200; n += 50) await createAll(store, appends.slice(n, n + 50));

  const range = { prefix, after: null, batch_size: 25, signal: ending.signal };
  const seen: RecordedEvent[] = [];
  for await (const batch of store.subscribe(range)) {
    seen.push(...batch);
    if (seen.length % 100 === 0) server.dropConnections();
    if (seen.length >= 2000) break;
  }
  const recorded = await streams.collect(store.readAll({ ...range, batch_size: 1000 }));
  expect(seen).toEqual(recorded);
  expect(failures.length).toBeGreaterThan(0);
}, 60_000);

it('ends with the signal while the server is away, and not before', async () => {
  const prefix = freshPrefix();
  const range = { prefix, after: null, batch_size: 25, signal: ending.signal };
  const pages = store.subscribe(range)[Symbol.asyncIterator]();
  await create(store, `${prefix}a`, notes('a', 1));
  expect((await pages.next()).value).toHaveLength(1);
  const next = pages.next();
  let isOver = false;
  void next.then(() => (isOver = true));
  await server.stop();
  while (failures.length < 3) await sleep(20);
  expect(isOver).toBe(false);
  ending.abort();
  expect(await next).toMatchObject({ done: true });
});

it('gets through foreign events that the server searches for longer than it may be silent', async () => {
  const prefix = freshPrefix();
  const foreign = Array.from({ length: 15 }, (_, n) => ({
    stream: `${freshPrefix()}${n}`,
    expected_revision: -1,
    events: notes('foreign', 200),
  }));
  await create(store, `${prefix}a`, notes('ours', 3));
  await createAll(store, foreign);
  await create(store, `${prefix}b`, notes('ours', 3));
  server.faults.search_ms = 100;
  const hasty = eventStoreDb({
    url: server.url,
    read_timeout_ms: 300,
    on_failure: (error) => failures.push(error),
  });
  try {
    const range = { prefix, after: null, batch_size: 2 };
    const whole = await streams.collect(hasty.readAll(range));
    expect(whole.map(({ stream }) => stream.at(-1)).join('')).toBe('aaabbb');
    expect(failures.length).toBeGreaterThan(0);
    const seen: RecordedEvent[] = [];
    for await (const batch of hasty.subscribe({ ...range, signal: ending.signal })) {
      expect(batch.length).toBeLessThanOrEqual(2);
      seen.push(...batch);
      if (seen.length === 6) break;
    }
    expect(seen).toEqual(whole);
  } finally {
    await hasty.close();
  }
});

it('does not search the same foreign events again and again', async () => {
  const prefix = freshPrefix();
  await create(store, `${prefix}a`, notes('ours', 1));
  const foreign = Array.from({ length: 20 }, (_, n) => ({
    stream: `${freshPrefix()}${n}`,
    expected_revision: -1,
    events: notes('foreign', 10),
  }));
  await createAll(store, foreign);

  const connection = connect(server.url, undefined);
  const pages = newPageReader(connection, 1000);
  const from: unknown[] = [];
  const watched: PageReader = {
    read(request, signal) {
      if (request.of === 'all' && request.prefix !== undefined) from.push(request.from);
      return pages.read(request, signal);
    },
  };
  const persistence = { attempts: 1, signal: ending.signal, on_failure: () => {} };
  const range = { prefix, after: null, batch_size: 10 };
  const sources = { pages: watched, persistence, behind_timeout_ms: 0 };
  const batches = subscription(sources, range);
  expect((await batches.next()).value).toHaveLength(1);
  const next = batches.next();
  while (new Set(from.map((one) => JSON.stringify(one))).size < 3) await sleep(10);
  // The first page, those from our last event, and then those from the end of the foreign ones.
  const head = await pages.read({ of: 'all', from: 'end', backwards: true, count: 1 });
  expect(from.at(-1)).toEqual(head.events[0]!.position);
  await create(store, `${prefix}b`, notes('ours', 1));
  expect((await next).value).toMatchObject([{ stream: `${prefix}b`, revision: 0 }]);
  await batches.return(undefined);
  await connection.close();
});
