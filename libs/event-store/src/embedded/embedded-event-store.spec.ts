import { GENESIS } from '#libs/contracts';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { eventStoreContract } from '../contract.js';
import { readUnder, useFollow } from '../contract/following.js';
import * as streams from '../contract/streams.js';
import { embeddedEventStore } from './embedded-event-store.js';

const { create, freshPrefix, link, notes } = streams;

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
}, 60_000);
afterAll(() => database.drop());

eventStoreContract('the embedded store', () => embeddedEventStore(database.pool));
eventStoreContract('embedded stores that hand each other what they commit', () =>
  embeddedEventStore(database.pool, { exchange: 'contract' }),
);

describe('the embedded store', () => {
  const subscribe = useFollow();

  it('cuts pages by their bytes and misses nothing behind the cut', async () => {
    const store = await embeddedEventStore(database.pool);
    const prefix = freshPrefix();
    const texts = Array.from({ length: 14 }, (_, n) =>
      JSON.stringify({ note: n, padding: 'x'.repeat(900_000) }),
    );
    const events = link(GENESIS, texts);
    for (let n = 0; n < events.length; n += 2) {
      await streams.append(store, `${prefix}a`, n - 1, events.slice(n, n + 2));
    }
    const pages: number[] = [];
    for await (const page of store.readStream(`${prefix}a`)) pages.push(page.length);
    expect(pages.length).toBeGreaterThan(1);
    await streams.expectStream(store, `${prefix}a`, events);
    expect((await readUnder(store, prefix)).map(streams.contentOf)).toEqual(events);
    expect((await subscribe(store, prefix).reach(14)).map(streams.contentOf)).toEqual(events);
    await store.close();
  }, 60_000);

  it('finds an event behind more foreign ones than it looks at in one query', async () => {
    const store = await embeddedEventStore(database.pool);
    const [prefix, foreign] = [freshPrefix(), freshPrefix()];
    await create(store, `${prefix}first`, notes('first', 1));
    const following = subscribe(await embeddedEventStore(database.pool), prefix);
    for (const n of [1, 2, 3, 4, 5]) {
      await create(store, `${foreign}${n}`, notes('foreign', 5_000));
    }
    await create(store, `${prefix}last`, notes('last', 1));
    const found = (await readUnder(store, prefix)).map((event) =>
      event.stream.slice(prefix.length),
    );
    expect(found).toEqual(['first', 'last']);
    expect(await following.reach(2)).toEqual(await subscribe(store, prefix).reach(2));
    await store.close();
  }, 60_000);
});
