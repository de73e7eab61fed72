import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GENESIS, InvariantBroken, type LinkedEvent } from '#libs/contracts';
import type pg from 'pg';
import { createPool, startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';
import { freshDatabase, whileLocked, type TestDatabase } from '../../../../test/postgres.js';
import { readUnder, useFollow } from '../contract/following.js';
import * as streams from '../contract/streams.js';
import type { EventStore } from '../port.js';
import { embeddedEventStore } from './embedded-event-store.js';

const { append, appended, expectStream, freshPrefix, notes } = streams;

let database: TestDatabase;
let store: EventStore;
beforeAll(async () => {
  database = await freshDatabase();
  store = await embeddedEventStore(database.pool, { append_timeout_ms: 500 });
}, 60_000);
afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const whileEventsAreLocked = <T>(
  mode: 'exclusive' | 'access exclusive',
  during: () => Promise<T>,
) => whileLocked(database.pool, 'events.event', mode, during);

/** No append can be written, all can be read. */
const withAppendsHeldUp = <T>(during: () => Promise<T>) =>
  whileEventsAreLocked('exclusive', during);

const terminate = (where: string) =>
  database.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and ${where}`);

/** Repeats the identical append until its answer is definite, as the port asks. */
async function appendSurely(to: EventStore, stream: string, revision: number, one: LinkedEvent) {
  for (let attempt = 0; ; attempt += 1) {
    const result = await append(to, stream, revision, [one]);
    if (result.kind !== 'unknown' || attempt === 300) return result;
    await sleep(50);
  }
}

/** Appends `count` events one after the other, with `disturb` before some of them. */
async function appendThrough(
  to: EventStore,
  stream: string,
  count: number,
  disturb: (n: number) => Promise<void>,
): Promise<LinkedEvent[]> {
  const events = notes('through an outage', count);
  for (const [n, event] of events.entries()) {
    await disturb(n);
    expect(await appendSurely(to, stream, n - 1, event)).toEqual(appended(n));
  }
  return events;
}

describe('an append', () => {
  it('whose connection is lost is unknown, and the identical call finds out', async () => {
    const stream = `${freshPrefix()}a`;
    const events = notes('once', 3);
    const result = await withAppendsHeldUp(async () => {
      const pending = append(store, stream, -1, events);
      while (
        (await terminate(`query like '%events.append%' and wait_event is not null`)).rowCount === 0
      );
      return pending;
    });
    expect(result).toEqual({ kind: 'unknown', why: expect.any(String) });
    await expectStream(store, stream, []);
    expect(await append(store, stream, -1, events)).toEqual(appended(2));
    await expectStream(store, stream, events);
  }, 30_000);

  it('without an answer in time is unknown, may be written later, and then is there once', async () => {
    const stream = `${freshPrefix()}a`;
    const events = notes('late', 3);
    const result = await withAppendsHeldUp(() => append(store, stream, -1, events));
    expect(result).toEqual({ kind: 'unknown', why: expect.any(String) });
    expect(await append(store, stream, -1, events)).toEqual(appended(2));
    await expectStream(store, stream, events);
  }, 30_000);
});

it('a reading whose question is never answered ends with its signal', async () => {
  const stream = `${freshPrefix()}a`;
  await streams.create(store, stream, notes('unread', 3));
  await whileEventsAreLocked('access exclusive', async () => {
    const ending = new AbortController();
    const { signal } = ending;
    const readings = [
      store.readLast(stream, { signal }),
      streams.collect(store.readStream(stream, { signal })),
    ];
    ending.abort(new Error('told to stop'));
    for (const reading of readings) await expect(reading).rejects.toThrow('told to stop');
  });
}, 30_000);

describe('a subscription', () => {
  const subscribe = useFollow();

  it('misses and doubles nothing while its connections are cut', async () => {
    const prefix = freshPrefix();
    const other = await embeddedEventStore(database.pool);
    const following = [subscribe(store, prefix), subscribe(other, prefix)];
    const events = await appendThrough(store, `${prefix}a`, 100, async (n) => {
      if (n % 10 === 5) await terminate('true');
    });
    for (const one of following) {
      expect((await one.reach(100)).map(streams.contentOf)).toEqual(events);
    }
    expect(await readUnder(store, prefix)).toEqual(following[1]!.events);
    await other.close();
  }, 60_000);

  it('stops loudly when the log lost its tail', async () => {
    const prefix = freshPrefix();
    const other = await embeddedEventStore(database.pool);
    await streams.create(other, `${prefix}a`, notes('lost', 3));
    const one = subscribe(store, prefix);
    await one.reach(3);
    await database.pool.query('delete from events.event where stream = $1 and revision > 0', [
      `${prefix}a`,
    ]);
    await expect(one.reach(4)).rejects.toThrow(InvariantBroken);
    await other.close();
  }, 30_000);
});

it('positions have no gap after conflicts, repeats and lost connections', async () => {
  const stream = `${freshPrefix()}a`;
  const first = notes('there', 2);
  await streams.create(store, stream, first);
  await Promise.all(
    Array.from({ length: 60 }, (_, n) => append(store, stream, (n % 3) - 1, notes('contested', 2))),
  );
  const pending = [append(store, stream, 1, notes('cut', 2, streams.headAfter(first)))];
  await terminate('true');
  await Promise.all(pending);
  await appendSurely(store, `${stream}b`, -1, notes('last', 1, GENESIS)[0]!);
  const { rows } = await database.pool.query<Record<'events' | 'first' | 'last', bigint>>(
    'select count(*) as events, min(position) as first, max(position) as last from events.event',
  );
  expect(rows[0]).toMatchObject({ first: 1n, last: rows[0]!.events });
});

describe('when Postgres is killed and comes back', () => {
  const subscribe = useFollow();
  const data_dir = join(tmpdir(), `usage-ledger-outage-${randomUUID()}`);
  let postgres: EmbeddedPostgres;
  let pool: pg.Pool;
  beforeAll(async () => {
    // Without fsync the server would not even wait for the write: what it acknowledged would be lost.
    postgres = await startEmbeddedPostgres({ data_dir, access: 'own', fsync: true });
    pool = createPool(postgres.url, { application_name: 'test', max_connections: 5 });
  }, 60_000);
  afterAll(async () => {
    await pool?.end();
    await postgres?.stop();
    await rm(data_dir, { recursive: true, force: true });
  });

  it('nothing acknowledged is lost, and subscriptions go on where they were', async () => {
    const failures: number[] = [];
    const on_failure = (_: unknown, attempt: number) => failures.push(attempt);
    const mortal = await embeddedEventStore(pool, { on_failure });
    const one = subscribe(mortal, '');
    const events = await appendThrough(mortal, 'a', 40, async (n) => {
      if (n !== 20) return;
      const pid_file = join(data_dir, 'postgres', 'postmaster.pid');
      const [pid] = (await readFile(pid_file, 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGKILL');
    });
    expect((await one.reach(40)).map(streams.contentOf)).toEqual(events);
    expect(await readUnder(mortal, '')).toEqual(one.events);
    expect(failures).toContain(1);
    await one.stop();
    await mortal.close();
  }, 60_000);
});
