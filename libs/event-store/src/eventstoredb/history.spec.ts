import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvariantBroken } from '#libs/contracts';
import { startEventStoreServer } from '../../../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../../../test/eventstore-server/server.js';
import * as streams from '../contract/streams.js';
import type { Checkpoint } from '../port.js';
import { connect, type DbClient } from './connection.js';
import { eventStoreDb, type EventStoreDb, type EventStoreDbOptions } from './event-store-db.js';

const { append, appended, collect, create, freshPrefix, headAfter, notes, readWhole } = streams;

let open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.reverse()) await one.stop();
  open = [];
});

async function startServer(options: Parameters<typeof startEventStoreServer>[0] = {}) {
  const server = await startEventStoreServer(options);
  open.push(server);
  return server;
}

function openStore(
  server: EventStoreServer,
  options: Partial<EventStoreDbOptions> = {},
): EventStoreDb {
  const store = eventStoreDb({ url: server.url, behind_timeout_ms: 100, ...options });
  open.push({ stop: () => store.close() });
  return store;
}

/** What an administrator has in hand. */
function administrate(server: EventStoreServer): DbClient {
  const connection = connect(server.url, undefined);
  open.push({ stop: () => connection.close() });
  return connection.client;
}

const all = (prefix: string) => ({ prefix, after: null, batch_size: 10 });

describe('F31 a stream whose history is gone is refused loudly:', () => {
  let server: EventStoreServer;
  let store: EventStoreDb;
  let admin: DbClient;
  let stream: string;
  const events = notes('kept', 10);
  beforeEach(async () => {
    server = await startServer();
    [store, admin] = [openStore(server), administrate(server)];
    stream = `${freshPrefix()}a`;
    await create(store, stream, events);
  });

  const refusesToRead = async (from = 0, why = /history is gone/) => {
    const reading = collect(store.readStream(stream, { from }));
    await expect(reading).rejects.toThrow(InvariantBroken);
    await expect(collect(store.readStream(stream, { from }))).rejects.toThrow(why);
  };

  it('truncated at its beginning, by $tb or $maxCount', async () => {
    await admin.setStreamMetadata(stream, { truncateBefore: 4 });
    await refusesToRead(0, /revision 0 is missing/);
    await refusesToRead(3, /revision 3 is missing/);
    expect(await collect(store.readStream(stream, { from: 4 }))).toHaveLength(6);
    await admin.setStreamMetadata(stream, { maxCount: 3 });
    await refusesToRead();
    expect(await store.readLast(stream)).toMatchObject({ revision: 9 });
  });

  it('truncated beyond its end: what is hidden is not taken for the end', async () => {
    await admin.setStreamMetadata(stream, { truncateBefore: 100 });
    await refusesToRead();
    await refusesToRead(9);
    await expect(store.readLast(stream)).rejects.toThrow(InvariantBroken);
    expect(await collect(store.readStream(stream, { from: 10 }))).toEqual([]);
  });

  it('deleted: it is no stream that never was, and no new one begins in its place', async () => {
    await admin.deleteStream(stream);
    await refusesToRead();
    await expect(store.readLast(stream)).rejects.toThrow(InvariantBroken);
    // The server would append, at revision 10.
    await expect(append(store, stream, -1, notes('new', 1))).rejects.toThrow(InvariantBroken);
    await refusesToRead();
  });

  it('tombstoned: its events stay in the log, and the tombstone stops whoever follows it', async () => {
    await admin.tombstoneStream(stream);
    await refusesToRead();
    await expect(store.readLast(stream)).rejects.toThrow(InvariantBroken);
    expect(await append(store, stream, 9, notes('new', 1))).toEqual({
      kind: 'refused',
      why: 'StreamDeleted',
    });
    const prefix = stream.slice(0, -1);
    await expect(collect(store.readAll(all(prefix)))).rejects.toThrow(/tombstoned/);
    const { signal } = new AbortController();
    const following = collect(store.subscribe({ ...all(prefix), batch_size: 100, signal }));
    await expect(following).rejects.toThrow(/tombstoned/);
  });

  it('but not one with metadata and no events', async () => {
    const other = `${stream}/other`;
    await admin.setStreamMetadata(other, { acl: { readRoles: ['$all'] } });
    expect(await readWhole(store, other)).toEqual([]);
    await create(store, other, notes('first', 1));
  });
});

describe('F14 the server lost its tail', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'eventstore-'))));
  afterEach(() => rmSync(dir, { recursive: true }));
  const log = () => join(dir, 'events.log');

  /** Writes `lost` and takes it away again, under the feet of whoever is connected. */
  async function loseTail(server: EventStoreServer, write: () => Promise<void>) {
    const { size } = statSync(log());
    await write();
    await server.kill();
    truncateSync(log(), size);
    return startServer({ dir, port: server.port });
  }

  it('a checkpoint is not held any more, and nobody reads from there', async () => {
    const first = await startServer({ dir });
    const store = openStore(first);
    const prefix = freshPrefix();
    await create(store, `${prefix}a`, notes('kept', 3));
    let checkpoint: Checkpoint = { position: '', event_id: '' };
    const second = await loseTail(first, async () => {
      await create(store, `${prefix}b`, notes('lost', 3));
      checkpoint = (await collect(store.readAll(all(prefix)))).at(-1)!;
      expect(await store.holds(checkpoint)).toBe(true);
    });
    const again = openStore(second);
    expect(await again.holds(checkpoint)).toBe(false);
    const range = { ...all(prefix), after: checkpoint.position };
    await expect(collect(again.readAll(range))).rejects.toThrow(InvariantBroken);
    const { signal } = new AbortController();
    await expect(collect(again.subscribe({ ...range, signal }))).rejects.toThrow(InvariantBroken);
    // The same places, with other events.
    await create(again, `${prefix}b`, notes('else', 3));
    expect(await again.holds(checkpoint)).toBe(false);
  });

  it('or its new leader is only behind for a moment: it is waited for, and nothing is lost', async () => {
    const first = await startServer({ dir });
    const waitsBehind = new Set<string>();
    const patient = (name: string) =>
      openStore(first, {
        behind_timeout_ms: 60_000,
        on_failure: (error) => {
          if (String(error).includes('ends before')) waitsBehind.add(name);
        },
      });
    const store = patient('store');
    const prefix = freshPrefix();
    const stream = `${prefix}a`;
    const ending = new AbortController();
    const range = { ...all(prefix), signal: ending.signal };
    const own = store.subscribe(range)[Symbol.asyncIterator]();
    const idle_range = { ...range, prefix: freshPrefix() };
    const foreign = patient('idle').subscribe(idle_range)[Symbol.asyncIterator]();
    const waiting = foreign.next();
    await create(store, stream, notes('event', 3));
    expect((await own.next()).value).toHaveLength(3);
    const checkpoint = (await collect(store.readAll(range))).at(-1)!;
    await sleep(2_500); // whoever waits asks once a second where the log ends

    await first.kill();
    const whole = readFileSync(log());
    truncateSync(log(), 0);
    const behind = await startServer({ dir, port: first.port });
    const next = own.next();
    const held = patient('holds').holds(checkpoint);
    const after = { ...range, after: checkpoint.position };
    const tail = collect(patient('readAll').readAll(after));
    const again = patient('again').subscribe(after);
    const resumed = again[Symbol.asyncIterator]().next();
    while (waitsBehind.size < 5) await sleep(20);

    await behind.kill();
    writeFileSync(log(), whole);
    const caught_up = await startServer({ dir, port: first.port });
    expect(await held).toBe(true);
    expect(await tail).toEqual([]);
    const more = notes('more', 1, headAfter(notes('event', 3)));
    expect(await append(openStore(caught_up), stream, 2, more)).toEqual(appended(3));
    expect((await next).value).toMatchObject([{ stream, revision: 3 }]);
    expect((await resumed).value).toMatchObject([{ stream, revision: 3 }]);
    ending.abort();
    expect(await waiting).toMatchObject({ done: true });
  }, 60_000);

  it('a subscription that runs stops, even when other events have taken the place', async () => {
    const first = await startServer({ dir });
    const store = openStore(first);
    const prefix = freshPrefix();
    await create(store, `${prefix}a`, notes('kept', 3));
    const { signal } = new AbortController();
    const pages = store.subscribe({ ...all(prefix), signal })[Symbol.asyncIterator]();
    expect((await pages.next()).value).toHaveLength(3);
    const second = await loseTail(first, async () => {
      await create(store, `${prefix}b`, notes('lost', 1));
      expect((await pages.next()).value).toHaveLength(1);
    });
    await create(openStore(second), `${prefix}b`, notes('else', 1));
    await expect(pages.next()).rejects.toThrow(InvariantBroken);
  });

  it('a subscription that waits stops, though nothing of its own was lost', async () => {
    const first = await startServer({ dir });
    const store = openStore(first);
    const prefix = freshPrefix();
    const { signal } = new AbortController();
    const pages = store.subscribe({ ...all(prefix), signal })[Symbol.asyncIterator]();
    const next = pages.next();
    const foreign = `${freshPrefix()}foreign`;
    await loseTail(first, async () => {
      await create(store, foreign, notes('lost', 3));
      await sleep(2_500); // it asks once a second where the log ends
    });
    await expect(next).rejects.toThrow(/lost its tail/);
  }, 20_000);

  it('an append finds its stream below the expected revision', async () => {
    const first = await startServer({ dir });
    const store = openStore(first);
    const stream = `${freshPrefix()}a`;
    const events = notes('event', 2);
    await create(store, stream, events.slice(0, 1));
    await loseTail(first, async () => {
      expect(await append(store, stream, 0, events.slice(1))).toEqual(appended(1));
    });
    const next = notes('next', 1, headAfter(events));
    for (;;) {
      const result = await append(store, stream, 1, next);
      if (result.kind === 'unknown') continue;
      expect(result).toEqual(streams.conflict(0));
      break;
    }
  });
});
