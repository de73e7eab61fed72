import { GENESIS } from '#libs/contracts';
import type { Stores } from '../contract.js';
import type { RecordedEvent } from '../port.js';
import { readUnder, useFollow } from './following.js';
import * as streams from './streams.js';

const { contentOf, create, freshPrefix, notes } = streams;

export function subscribing(stores: Stores): void {
  describe('a subscription', () => {
    const subscribe = useFollow();

    it('catches up from the beginning, then stays live', async () => {
      const [store, other] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}a`, notes('before', 120));
      const one = subscribe(store, prefix);
      await one.reach(120);
      await create(store, `${prefix}b`, notes('by the same store', 3));
      await one.reach(123);
      await create(other, `${prefix}c`, notes('by another store', 3));
      await one.reach(126);
      expect(one.events).toEqual(await readUnder(store, prefix));
      streams.followAll(one.events);
    }, 30_000);

    it('begins after a position, which may be a foreign one', async () => {
      const [store] = stores();
      const [prefix, foreign] = [freshPrefix(), freshPrefix()];
      await create(store, `${prefix}a`, notes('a', 10));
      await create(store, `${foreign}x`, notes('foreign', 1));
      await create(store, `${prefix}b`, notes('b', 10));
      const all = await readUnder(store, prefix);
      const foreigner = (await readUnder(store, foreign))[0]!;
      const third = subscribe(store, prefix, { after: all[2]!.position });
      const middle = subscribe(store, prefix, { after: foreigner.position });
      const end = subscribe(store, prefix, { after: all.at(-1)!.position });
      await create(store, `${prefix}c`, notes('c', 1));
      const [last] = await end.reach(1);
      expect(last).toMatchObject({ stream: `${prefix}c`, revision: 0 });
      expect(await third.reach(18)).toEqual([...all.slice(3), last]);
      expect(await middle.reach(11)).toEqual([...all.slice(10), last]);
    }, 30_000);

    it('delivers nothing of foreign streams', async () => {
      const [store] = stores();
      const [prefix, foreign] = [freshPrefix(), freshPrefix()];
      const one = subscribe(store, `${prefix}account-`);
      for (let n = 0; n < 5; n += 1) {
        await create(store, `${foreign}account-${n}`, notes('foreign', 2));
        await create(store, `${prefix}accounts-${n}`, notes('begins almost alike', 2));
        await create(store, `${prefix}account-${n}`, notes('ours', 2));
      }
      const events = await one.reach(10);
      expect(events.map(contentOf)).toEqual(
        [0, 1, 2, 3, 4].flatMap(() => notes('ours', 2).map(contentOf)),
      );
    }, 30_000);

    it('waits on a log that holds nothing for it, then delivers', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const one = subscribe(store, prefix);
      await create(store, `${freshPrefix()}x`, notes('foreign', 1));
      expect(one.events).toEqual([]);
      await create(store, `${prefix}a`, notes('the first', 1));
      expect((await one.reach(1)).map(contentOf)).toEqual(notes('the first', 1));
    }, 30_000);

    it('delivers to each of two subscribers, however slow the other is', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const aborter = new AbortController();
      const { signal } = aborter;
      // Asks for its first batch, and then for nothing until the other one has everything.
      const slow = store.subscribe({ prefix, after: null, batch_size: 7, signal });
      const iterator = slow[Symbol.asyncIterator]();
      const taking = iterator.next();
      const quick = subscribe(store, prefix);
      const streamsOfTen = Array.from({ length: 60 }, (_, n) => ({
        stream: `${prefix}${n}`,
        expected_revision: -1,
        events: notes(`stream ${n}`, 10),
      }));
      for (const one of streamsOfTen) await streams.createAll(store, [one]);
      await quick.reach(600);

      const events: RecordedEvent[] = [];
      for (let next = await taking; next.done !== true; next = await iterator.next()) {
        events.push(...next.value);
        if (events.length >= 600) break;
      }
      aborter.abort();
      expect(events).toEqual(quick.events);
      expect(events).toEqual(await readUnder(store, prefix));
    }, 60_000);

    it('gives events of any size', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const texts = [1, 400_000, 2, 400_000].map((size) =>
        JSON.stringify({ note: 'é'.repeat(size / 2) }),
      );
      const one = subscribe(store, prefix);
      for (const [n, text] of texts.entries()) {
        await create(store, `${prefix}${n}`, streams.link(GENESIS, [text]));
      }
      const events = await one.reach(texts.length);
      expect(events.map((event) => event.data)).toEqual(texts);
    }, 30_000);

    it('rejects a position that no store made, and one beyond the end of the log', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}a`, notes('the last one', 1));
      const { position } = (await readUnder(store, prefix))[0]!;
      for (const after of ['nowhere', streams.farBeyond(position)]) {
        await expect(subscribe(store, prefix, { after }).reach(1)).rejects.toThrow();
      }
    }, 30_000);
  });

  describe('the end of a subscription', () => {
    const ends = async (next: Promise<IteratorResult<unknown>>) =>
      expect(await next).toMatchObject({ done: true });

    it('comes with the signal: before it began, while it waits, and between two batches', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}a`, notes('enough for two', 4));
      const options = { prefix, after: null, batch_size: 2 };

      const early = store.subscribe({ ...options, signal: AbortSignal.abort() });
      await ends(early[Symbol.asyncIterator]().next());

      const between = new AbortController();
      const halfway = store.subscribe({ ...options, signal: between.signal });
      const pages = halfway[Symbol.asyncIterator]();
      expect(await pages.next()).toMatchObject({ done: false });
      between.abort();
      await ends(pages.next());

      const waiting = new AbortController();
      const idle = store.subscribe({ ...options, prefix: freshPrefix(), signal: waiting.signal });
      const next = idle[Symbol.asyncIterator]().next();
      await store.readLast(`${prefix}a`);
      waiting.abort();
      await ends(next);
    }, 30_000);

    it('comes when the reader leaves its loop', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}a`, notes('enough', 4));
      const { signal } = new AbortController();
      const options = { prefix, after: null, batch_size: 2, signal };
      for await (const batch of store.subscribe(options)) {
        expect(batch.length).toBeGreaterThan(0);
        break;
      }
      // The store goes on serving.
      expect(await readUnder(store, prefix)).toHaveLength(4);
    }, 30_000);
  });
}
