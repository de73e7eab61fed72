import { setTimeout as sleep } from 'node:timers/promises';
import { GENESIS } from '#libs/contracts';
import { startEventStoreServer } from '../../../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../../../test/eventstore-server/server.js';
import { startTcpProxy, type TcpProxy } from '../../../../test/eventstore-server/tcp-proxy.js';
import * as streams from '../contract/streams.js';
import type { AppendResult, StreamAppend } from '../port.js';
import { eventStoreDb, type EventStoreDb, type EventStoreDbOptions } from './event-store-db.js';

const { appended, create, expectStream, freshPrefix, notes } = streams;

const APPEND_TIMEOUT_MS = 1_000;

// Jest fails a test that leaves a rejection unhandled, as the client does after a late answer.
let open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  // Stores before their servers.
  for (const one of open.reverse()) await one.stop();
  open = [];
});

async function startServer(options?: Parameters<typeof startEventStoreServer>[0]) {
  const server = await startEventStoreServer(options);
  open.push(server);
  return server;
}

function openStore(url: string, options: Partial<EventStoreDbOptions> = {}): EventStoreDb {
  const store = eventStoreDb({ url, append_timeout_ms: APPEND_TIMEOUT_MS, ...options });
  open.push({ stop: () => store.close() });
  return store;
}

async function start(): Promise<{ server: EventStoreServer; store: EventStoreDb }> {
  const server = await startServer();
  return { server, store: openStore(server.url) };
}

const appendOf = (stream: string, label = 'event', count = 2): StreamAppend => ({
  stream,
  expected_revision: -1,
  events: notes(label, count),
});

const unknown: AppendResult = { kind: 'unknown', why: expect.any(String) as string };

/** The only answer to an unknown outcome: the identical call, until it is known. */
async function settle(store: EventStoreDb, append: StreamAppend): Promise<AppendResult> {
  for (;;) {
    const [result] = await store.appendMany([append]);
    if (result!.kind !== 'unknown') return result!;
    await sleep(20);
  }
}

describe('F9 an append times out, and the identical repeat tells:', () => {
  it.each([
    ['it was not written', { kind: 'no_answer' }],
    ['it was written', { kind: 'written_unanswered' }],
    ['the server gave up, and had written it', { kind: 'timeout', written: true }],
    ['the server gave up, and had not written it', { kind: 'timeout', written: false }],
  ] as const)('%s', async (_, fault) => {
    const { server, store } = await start();
    const append = appendOf(`${freshPrefix()}a`);
    server.faults.inject(fault);
    expect(await store.appendMany([append])).toEqual([unknown]);
    expect(await settle(store, append)).toEqual(appended(1));
    await expectStream(store, append.stream, append.events);
  });

  it('another writer came first', async () => {
    const { server, store } = await start();
    const append = appendOf(`${freshPrefix()}a`);
    server.faults.inject({ kind: 'no_answer' });
    expect(await store.appendMany([append])).toEqual([unknown]);
    const other = notes('other', 1);
    await create(openStore(server.url), append.stream, other);
    expect(await settle(store, append)).toEqual(streams.conflict(0));
    await expectStream(store, append.stream, other);
  });

  it('its neighbours in the call are answered', async () => {
    const { server, store } = await start();
    const prefix = freshPrefix();
    server.faults.inject({ kind: 'no_answer' });
    const results = await store.appendMany(['a', 'b', 'c'].map((name) => appendOf(prefix + name)));
    expect(results).toEqual([unknown, appended(1), appended(1)]);
  });
});

describe('F10 an append that is never answered', () => {
  it('is unknown when its connection has become a black hole, and the next one goes around it', async () => {
    const server = await startServer();
    const proxy: TcpProxy = await startTcpProxy(server.port);
    open.push(proxy);
    const url = `esdb://127.0.0.1:${proxy.port}?tls=false`;
    const [store, other] = [openStore(url), openStore(url, { read_timeout_ms: 300 })];
    const prefix = freshPrefix();
    await create(store, `${prefix}0`, notes('before', 1));
    await create(other, `${prefix}1`, notes('before', 1));

    proxy.blackHole();
    const appends = ['a', 'b', 'c'].map((name) => appendOf(prefix + name));
    expect(await store.appendMany(appends)).toEqual([unknown, unknown, unknown]);
    // At once: the keepalive would notice too, many seconds later.
    expect(store.append_counts.drops).toBe(1);
    for (const append of appends) expect(await settle(store, append)).toEqual(appended(1));
    expect(store.append_counts).toMatchObject({ calls: 2, drops: 1 });
    await expectStream(store, appends[0]!.stream, appends[0]!.events);
    // Its reads, of another store, find the way too.
    await expectStream(other, appends[0]!.stream, appends[0]!.events);
  });

  it('is unknown when there is no server, and while it is away', async () => {
    const server = await startServer();
    await server.stop();
    const store = openStore(server.url);
    const append = appendOf(`${freshPrefix()}a`);
    expect(await store.appendMany([append])).toEqual([unknown]);
    const again = settle(store, append);
    await startServer({ port: server.port });
    expect(await again).toEqual(appended(1));
  });
});

it('a reading that is never answered ends with its signal', async () => {
  const server = await startServer();
  const proxy = await startTcpProxy(server.port);
  open.push(proxy);
  const store = openStore(`esdb://127.0.0.1:${proxy.port}?tls=false`);
  const stream = `${freshPrefix()}a`;
  await create(store, stream, notes('unread', 3));
  proxy.blackHole();
  const ending = new AbortController();
  const { signal } = ending;
  const readings = [
    store.readLast(stream, { signal }),
    streams.collect(store.readStream(stream, { signal })),
  ];
  ending.abort(new Error('told to stop'));
  for (const reading of readings) await expect(reading).rejects.toThrow('told to stop');
});

describe('F11 an answer that comes when nobody waits for it', () => {
  it('is counted, and meets nothing: late', async () => {
    const { server, store } = await start();
    const append = appendOf(`${freshPrefix()}a`);
    server.faults.inject({ kind: 'late_answer', ms: APPEND_TIMEOUT_MS + 200 });
    const answers = store.appendMany([append]);
    // A server that answers others is not taken for dead.
    await sleep(APPEND_TIMEOUT_MS / 2);
    await create(store, `${freshPrefix()}b`, notes('meanwhile', 1));
    expect(await answers).toEqual([unknown]);
    expect(await settle(store, append)).toEqual(appended(1));
    await sleep(400);
    expect(store.append_counts).toMatchObject({ ignored: 1, drops: 0 });
    await expectStream(store, append.stream, append.events);
  });

  it('is counted, and meets nothing: second', async () => {
    const { server, store } = await start();
    const prefix = freshPrefix();
    server.faults.inject({ kind: 'second_answer', ms: 30 });
    await create(store, `${prefix}a`, notes('a', 3));
    await sleep(100);
    await create(store, `${prefix}b`, notes('b', 1));
    expect(store.append_counts.ignored).toBe(1);
  });

  it('belongs to a call that has ended: the next call knows no old correlation id', async () => {
    const { server, store } = await start();
    const append = appendOf(`${freshPrefix()}a`);
    server.faults.inject({ kind: 'late_answer', ms: 700 });
    server.faults.inject({ kind: 'dropped_connection', written: false });
    const second = appendOf(`${freshPrefix()}b`);
    expect(await store.appendMany([append, second])).toEqual([unknown, unknown]);
    expect(await settle(store, append)).toEqual(appended(1));
    await sleep(600);
    expect(store.append_counts).toMatchObject({ ignored: 0, drops: 1, calls: 2 });
  });
});

it('F12 the leader changes with appends in flight: they are unknown, and repeated on the new one', async () => {
  const [old, leader] = [await startServer(), await startServer()];
  const store = openStore(old.url);
  const prefix = freshPrefix();
  await create(store, `${prefix}before`, notes('before', 1));
  const address = { host: '127.0.0.1', port: leader.port };
  old.faults.inject({ kind: 'no_answer' }, 20);
  old.faults.inject({ kind: 'not_leader', leader: address }, Infinity);
  const appends = Array.from({ length: 40 }, (_, n) => appendOf(`${prefix}${n}`));
  expect(await store.appendMany(appends)).toEqual(appends.map(() => unknown));
  expect(await store.appendMany(appends)).toEqual(appends.map(() => appended(1)));
  expect(store.append_counts).toMatchObject({ calls: 2, drops: 1 });
  // The reads have followed.
  await expectStream(store, `${prefix}0`, appends[0]!.events);
  await expectStream(openStore(leader.url), `${prefix}39`, appends[39]!.events);
});

describe('hazards of the client that cannot reach these appends:', () => {
  it("one server's death, or the end of another store, rejects nothing of this one", async () => {
    const [here, there] = [await startServer(), await startServer()];
    const [store, dying, ending] = [here, there, here].map(({ url }) =>
      openStore(url, { append_timeout_ms: 10_000 }),
    );
    const prefix = freshPrefix();
    for (const one of [store!, dying!]) await create(one, `${prefix}x`, notes('x', 1));
    await create(ending!, `${prefix}y`, notes('y', 1));
    const appends = Array.from({ length: 300 }, (_, n) => appendOf(`${prefix}${n}`));
    const answers = store!.appendMany(appends);
    const lost = dying!.appendMany([appendOf(`${prefix}lost`)]);
    await there.kill();
    await ending!.close();
    expect(await answers).toEqual(appends.map(() => appended(1)));
    expect(await lost).toHaveLength(1);
    await create(store!, `${prefix}after`, notes('after', 1));
  });

  it('a bad event is refused before it is sent, and the session lives', async () => {
    const { store } = await start();
    const prefix = freshPrefix();
    const bad = { ...notes('bad', 1)[0]!, event_id: '00000000-0000-0000-0000-000000000000' };
    const results = await store.appendMany([
      { stream: `${prefix}bad`, expected_revision: -1, events: [bad] },
      appendOf(`${prefix}good`),
    ]);
    expect(results).toEqual([{ kind: 'refused', why: expect.any(String) }, appended(1)]);
    expect(store.append_counts).toMatchObject({ sent: 1, drops: 0 });
  });

  it('a subscription takes a burst on which the server drops live ones', async () => {
    const { server, store } = await start();
    server.faults.burst_limit = 5;
    const prefix = freshPrefix();
    const ending = new AbortController();
    const range = { prefix, after: null, batch_size: 100, signal: ending.signal };
    const pages = store.subscribe(range)[Symbol.asyncIterator]();
    const first = pages.next();
    await create(store, `${prefix}a`, notes('burst', 200));
    let count = (await first).value!.length;
    while (count < 200) count += (await pages.next()).value!.length;
    expect(count).toBe(200);
    ending.abort();
  });

  it('a repeat that is under way with its original waits for it', async () => {
    const { server, store } = await start();
    const append = appendOf(`${freshPrefix()}a`);
    server.faults.inject({ kind: 'late_answer', ms: 500 });
    const both = Promise.all([store.appendMany([append]), store.appendMany([append])]);
    while (store.append_counts.sent === 0) await sleep(1);
    expect(store.append_counts.sent).toBe(1);
    expect(await both).toEqual([[appended(1)], [appended(1)]]);
    expect(store.append_counts).toMatchObject({ sent: 2, ignored: 0 });
  });
});

it('F20 an append beyond the limits is refused; at the limits it is written', async () => {
  const { store } = await start();
  const prefix = freshPrefix();
  const { max_events, max_bytes } = store.limits;
  expect([max_events, max_bytes]).toEqual([200, 900_000]);
  const text = (bytes: number) => JSON.stringify({ note: 'x'.repeat(bytes - 11) });
  const of = (name: string, texts: readonly string[]): StreamAppend => ({
    stream: prefix + name,
    expected_revision: -1,
    events: streams.link(GENESIS, texts),
  });
  const tooMany = appendOf(`${prefix}many`, 'many', max_events + 1);
  const results = await store.appendMany([
    of('large', [text(max_bytes)]),
    of('too large', [text(max_bytes + 1)]),
    tooMany,
  ]);
  const refused = { kind: 'refused', why: expect.any(String) };
  expect(results).toEqual([appended(0), refused, refused]);
});
