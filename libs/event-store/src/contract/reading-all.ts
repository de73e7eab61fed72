import type { Stores } from '../contract.js';
import type { EventStore, RecordedEvent } from '../port.js';
import * as streams from './streams.js';

const { collect, contentOf, create, farBeyond, freshPrefix, notes } = streams;

interface Range {
  readonly after?: string;
  readonly until?: string;
  readonly batch_size?: number;
}

const readAll = (store: EventStore, prefix: string, { after, until, batch_size }: Range = {}) =>
  collect(
    store.readAll({
      prefix,
      after: after ?? null,
      ...(until === undefined ? {} : { until }),
      batch_size: batch_size ?? 100,
    }),
  );

/** Three streams under `prefix` with 2 events each, and foreign ones before, between and after. */
async function mixed(store: EventStore, prefix: string, foreign: string): Promise<void> {
  for (const name of ['a', 'b', 'c']) {
    await create(store, `${foreign}${name}`, notes('foreign', 3));
    await create(store, `${prefix}${name}`, notes(name, 2));
  }
  await create(store, `${foreign}d`, notes('foreign', 3));
}

export function readingAll(stores: Stores): void {
  describe('reading all', () => {
    it('gives the events under a prefix, in the global order, and no others', async () => {
      const [store, other] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const events = await readAll(other, prefix);
      expect(events.map(({ stream, revision }) => [stream, revision])).toEqual(
        ['a', 'b', 'c'].flatMap((name) => [
          [`${prefix}${name}`, 0],
          [`${prefix}${name}`, 1],
        ]),
      );
      expect(new Set(events.map((event) => event.position)).size).toBe(events.length);
      expect(await readAll(other, freshPrefix())).toEqual([]);
    });

    it('takes a prefix literally', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}a_b-1`, notes('literal', 1));
      await create(store, `${prefix}axb-1`, notes('not a wildcard', 1));
      await create(store, `${prefix}A_b-1`, notes('another case', 1));
      await create(store, `${prefix}100%.*[x]\\-1`, notes('odd letters', 1));
      const names = async (start: string) =>
        (await readAll(store, prefix + start)).map((event) => event.stream.slice(prefix.length));
      expect(await names('a_b')).toEqual(['a_b-1']);
      expect(await names('100%.*[x]\\')).toEqual(['100%.*[x]\\-1']);
      expect(await names('%')).toEqual([]);
      expect(await names('a_b-1')).toEqual(['a_b-1']);
    });

    it('begins after a position and ends with another', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const events = await readAll(store, prefix);
      const at = (n: number) => events[n]!.position;
      expect(await readAll(store, prefix, { after: at(0) })).toEqual(events.slice(1));
      expect(await readAll(store, prefix, { after: at(3) })).toEqual(events.slice(4));
      expect(await readAll(store, prefix, { after: at(5) })).toEqual([]);
      expect(await readAll(store, prefix, { until: at(0) })).toEqual(events.slice(0, 1));
      expect(await readAll(store, prefix, { until: at(3) })).toEqual(events.slice(0, 4));
      expect(await readAll(store, prefix, { after: at(1), until: at(4) })).toEqual(
        events.slice(2, 5),
      );
      expect(await readAll(store, prefix, { after: at(2), until: at(2) })).toEqual([]);
      expect(await readAll(store, prefix, { after: at(4), until: at(1) })).toEqual([]);
    });

    it('takes positions of foreign events', async () => {
      const [store] = stores();
      const [prefix, foreign] = [freshPrefix(), freshPrefix()];
      await mixed(store, prefix, foreign);
      const events = await readAll(store, prefix);
      const foreigners = await readAll(store, foreign);
      // The 3 foreign events of a come before prefix a, those of b before prefix b.
      const [after, until] = [foreigners[1]!.position, foreigners[4]!.position];
      expect(await readAll(store, prefix, { after })).toEqual(events);
      expect(await readAll(store, prefix, { until })).toEqual(events.slice(0, 2));
      expect(await readAll(store, prefix, { after: until })).toEqual(events.slice(2));
    });

    it('gives batches of at most batch_size, however they are cut', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const events = await readAll(store, prefix);
      for (const batch_size of [1, 2, 5, 6, 7]) {
        const batches: (readonly RecordedEvent[])[] = [];
        for await (const batch of store.readAll({ prefix, after: null, batch_size })) {
          batches.push(batch);
        }
        expect(batches.flat()).toEqual(events);
        expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(batch_size);
      }
    });

    it('ends where the log ended at the time of the call', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}0`, notes('there', 2));
      let read = 0;
      // Every event read makes another one: a reading that followed the log would never end.
      for await (const batch of store.readAll({ prefix, after: null, batch_size: 1 })) {
        read += batch.length;
        await create(store, `${prefix}${read}`, notes('later', 2));
        if (read > 50) break;
      }
      expect(read).toBe(2);
    }, 30_000);

    it('agrees with the reading of streams', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const events = await readAll(store, prefix);
      for (const name of ['a', 'b', 'c']) {
        const stream = `${prefix}${name}`;
        const recorded = await streams.readWhole(store, stream);
        expect(recorded).toEqual(events.filter((event) => event.stream === stream));
        expect(await store.readLast(stream)).toEqual(recorded.at(-1));
      }
      expect(events.map(contentOf)).toEqual(['a', 'b', 'c'].flatMap((name) => notes(name, 2)));
    });

    it('rejects a position that no store made, and a start beyond the end of the log', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const { position } = (await readAll(store, prefix)).at(-1)!;
      const after = farBeyond(position);
      await expect(readAll(store, prefix, { after })).rejects.toThrow();
      await expect(readAll(store, prefix, { after: 'nowhere' })).rejects.toThrow();
      await expect(readAll(store, prefix, { until: 'nowhere' })).rejects.toThrow();
    });
  });

  describe('holds', () => {
    it('is true for an event that is there, from either store', async () => {
      const [store, other] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      for (const { position, event_id } of await readAll(store, prefix)) {
        expect(await store.holds({ position, event_id })).toBe(true);
        expect(await other.holds({ position, event_id })).toBe(true);
      }
    });

    it('is false when another event stands there', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const events = await readAll(store, prefix);
      const [first, second] = [events[0]!, events[1]!];
      const swapped = { position: first.position, event_id: second.event_id };
      expect(await store.holds(swapped)).toBe(false);
    });

    it('is false beyond the end of the log and for a position that no store made', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await mixed(store, prefix, freshPrefix());
      const { position, event_id } = (await readAll(store, prefix)).at(-1)!;
      expect(await store.holds({ position: farBeyond(position), event_id })).toBe(false);
      expect(await store.holds({ position: 'nowhere', event_id })).toBe(false);
    });
  });
}
