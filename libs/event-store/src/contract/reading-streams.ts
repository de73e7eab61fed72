import { GENESIS } from '#libs/contracts';
import type { Stores } from '../contract.js';
import * as streams from './streams.js';

const { append, appended, collect, contentOf, create, freshPrefix, link, notes } = streams;

const texts: readonly (readonly [what: string, data: string])[] = [
  ['letters of all lengths in UTF-8', '{"note":"aéß€漢字𝄞👩‍🚀"}'],
  ['quotes and backslashes', JSON.stringify({ note: `"'\`\\" \\\\ {"a":"b"} \\N NULL {,}` })],
  ['escapes as they were written', '{"note":"\\u0000 \\u00e9 \\/ \\ud83d \\n\\t\\u2028"}'],
  ['line separators as they are', '{"note":"\u2028 \u2029 \u0085 \u007f \ufeff"}'],
  ['letters in decomposed form', '{"note":"e\u0301 \u1e9b\u0323"}'],
  ['white space, order and repeated names', '{\n "b" : 1,\t"a":2 , \r\n"a": 3 }'],
  ['numbers that no double holds', '{"credits":12345678901234567890.10,"tiny":1e-999}'],
  ['SQL and array syntax', '{"note":"{1,2}; drop table event; -- $1 %s ?"}'],
];

export function readingStreams(stores: Stores): void {
  describe('an event is read as it was written, byte for byte, with', () => {
    it.each(texts)('%s', async (_, data) => {
      const [store, other] = stores();
      const stream = `${freshPrefix()}a`;
      const [event] = link(GENESIS, [data]);
      const spaced = { ...event!, meta: `{ "chain" : "${streams.headAfter([event!]).chain}" }` };
      await create(store, stream, [spaced]);
      const [recorded] = await collect(other.readStream(stream));
      expect(contentOf(recorded!)).toEqual(spaced);
    });

    it('800 kB of data', async () => {
      const [store, other] = stores();
      const stream = `${freshPrefix()}large`;
      const events = link(GENESIS, [JSON.stringify({ note: 'é漢𝄞"\n'.repeat(60_000) })]);
      expect(Buffer.byteLength(events[0]!.data)).toBeGreaterThan(700_000);
      await create(store, stream, events);
      await streams.expectStream(other, stream, events);
      expect(contentOf((await other.readLast(stream))!)).toEqual(events[0]);
    }, 30_000);
  });

  describe('a stream', () => {
    it('that does not exist is empty', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}missing`;
      expect(await collect(store.readStream(stream))).toEqual([]);
      expect(await collect(store.readStream(stream, { from: 3 }))).toEqual([]);
      expect(await store.readLast(stream)).toBeUndefined();
    });

    it('is read in pages, whole and in order', async () => {
      const [store, other] = stores();
      const prefix = freshPrefix();
      let head = GENESIS;
      const written = [];
      for (let n = 0; n < 20; n += 1) {
        const events = notes(`append ${n}`, 150, head);
        const result = await append(store, `${prefix}long`, head.revision, events);
        expect(result).toEqual(appended(head.revision + events.length));
        head = streams.headAfter(events, head);
        written.push(...events);
      }
      await streams.expectStream(other, `${prefix}long`, written);
      streams.followAll(await streams.readWhole(other, `${prefix}long`));
      const tail = await collect(other.readStream(`${prefix}long`, { from: 1234 }));
      expect(tail.map(contentOf)).toEqual(written.slice(1234));
      expect(tail[0]).toMatchObject({ stream: `${prefix}long`, revision: 1234 });
    }, 60_000);

    it('is read from a revision, which may lie beyond its end', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('five', 5);
      await create(store, stream, events);
      const from = async (revision: number) =>
        (await collect(store.readStream(stream, { from: revision }))).map((one) => one.revision);
      expect(await from(0)).toEqual([0, 1, 2, 3, 4]);
      expect(await from(3)).toEqual([3, 4]);
      expect(await from(4)).toEqual([4]);
      expect(await from(5)).toEqual([]);
      expect(await from(50)).toEqual([]);
    });

    it('is not mixed up with streams whose names begin alike', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      await create(store, `${prefix}a`, notes('a', 2));
      await create(store, `${prefix}ab`, notes('ab', 3));
      await create(store, `${prefix}A`, notes('A', 1));
      await create(store, `${prefix}a `, notes('a and a blank', 1));
      await streams.expectStream(store, `${prefix}a`, notes('a', 2));
      expect(await store.readLast(`${prefix}a`)).toMatchObject({ revision: 1 });
    });

    it('shows an append to every reader as soon as it is answered', async () => {
      const [store, other] = stores();
      const stream = `${freshPrefix()}a`;
      let head = GENESIS;
      for (let n = 0; n < 20; n += 1) {
        const events = notes(`append ${n}`, 1 + (n % 3), head);
        await append(store, stream, head.revision, events);
        head = streams.headAfter(events, head);
        const last = await other.readLast(stream);
        expect(last).toMatchObject({
          ...contentOf(events.at(-1)!),
          stream,
          revision: head.revision,
        });
      }
    });

    it('is never read in part: an aborted reading rejects', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      await create(store, stream, notes('unread', 3));
      const signal = AbortSignal.abort();
      await expect(collect(store.readStream(stream, { signal }))).rejects.toThrow();
      await expect(store.readLast(stream, { signal })).rejects.toThrow();
      await expect(store.readLast(`${stream}/missing`, { signal })).rejects.toThrow();
    });
  });
}
