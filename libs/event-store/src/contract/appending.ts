import type { Stores } from '../contract.js';
import * as streams from './streams.js';

const { append, appended, conflict, create, expectStream, freshPrefix, notes } = streams;

export function appending(stores: Stores): void {
  describe('an append', () => {
    it('at -1 begins a stream', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('first', 3);
      expect(await append(store, stream, -1, events)).toEqual(appended(2));
      await expectStream(store, stream, events);
    });

    it('at the revision that is there continues the stream', async () => {
      const [store, other] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('counted', 4);
      expect(await append(store, stream, -1, events.slice(0, 1))).toEqual(appended(0));
      expect(await append(other, stream, 0, events.slice(1, 3))).toEqual(appended(2));
      expect(await append(store, stream, 2, events.slice(3))).toEqual(appended(3));
      await expectStream(other, stream, events);
    });

    it('below it conflicts, says where the stream is, and writes nothing', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('kept', 3);
      await create(store, stream, events);
      const head = streams.headAfter(events.slice(0, 2));
      expect(await append(store, stream, 1, notes('late', 1, head))).toEqual(conflict(2));
      expect(await append(store, stream, -1, notes('late', 3))).toEqual(conflict(2));
      expect(await append(store, stream, -1, notes('late', 9))).toEqual(conflict(2));
      await expectStream(store, stream, events);
    });

    it('above it conflicts, says where the stream is, and writes nothing', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      const missing = `${freshPrefix()}missing`;
      const events = notes('kept', 3);
      await create(store, stream, events);
      expect(await append(store, stream, 3, notes('early', 1))).toEqual(conflict(2));
      expect(await append(store, missing, 0, notes('early', 1))).toEqual(conflict(-1));
      await expectStream(store, stream, events);
      await expectStream(store, missing, []);
    });

    it('writes equal events, with equal ids, to two streams', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const events = notes('the same in both', 2);
      await create(store, `${prefix}a`, events);
      await create(store, `${prefix}b`, events);
      await expectStream(store, `${prefix}a`, events);
      await expectStream(store, `${prefix}b`, events);
    });
  });

  describe('a call with several appends', () => {
    it('answers each stream in the order of the call, whatever became of the others', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const old = notes('old', 2);
      await create(store, `${prefix}low`, old);
      await create(store, `${prefix}right`, old);
      await create(store, `${prefix}high`, old);
      const next = notes('next', 3, streams.headAfter(old));
      const fresh = notes('fresh', 2);
      const results = await store.appendMany([
        { stream: `${prefix}new`, expected_revision: -1, events: fresh },
        { stream: `${prefix}low`, expected_revision: 0, events: next },
        { stream: `${prefix}right`, expected_revision: 1, events: next },
        { stream: `${prefix}high`, expected_revision: 5, events: next },
        { stream: `${prefix}none`, expected_revision: 0, events: next },
        { stream: `${prefix}last`, expected_revision: -1, events: fresh },
      ]);
      expect(results).toEqual([
        appended(1),
        conflict(1),
        appended(4),
        conflict(1),
        conflict(-1),
        appended(1),
      ]);
      await expectStream(store, `${prefix}new`, fresh);
      await expectStream(store, `${prefix}low`, old);
      await expectStream(store, `${prefix}right`, [...old, ...next]);
      await expectStream(store, `${prefix}high`, old);
      await expectStream(store, `${prefix}none`, []);
      await expectStream(store, `${prefix}last`, fresh);
    });

    it('may name a thousand streams', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const appends = Array.from({ length: 1000 }, (_, n) => ({
        stream: `${prefix}${n}`,
        expected_revision: -1,
        events: notes(`stream ${n}`, 1 + (n % 3)),
      }));
      await streams.createAll(store, appends);
      await expectStream(store, `${prefix}0`, appends[0]!.events);
      await expectStream(store, `${prefix}998`, appends[998]!.events);
    }, 30_000);

    it('may be empty', async () => {
      expect(await stores()[0].appendMany([])).toEqual([]);
    });

    it('takes one append per stream and refuses a second one', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('once', 2);
      const results = await store.appendMany([
        { stream, expected_revision: -1, events: events.slice(0, 1) },
        { stream, expected_revision: 0, events: events.slice(1) },
      ]);
      expect(results).toEqual([appended(0), { kind: 'refused', why: expect.any(String) }]);
      await expectStream(store, stream, events.slice(0, 1));
    });
  });

  it('calls that are not awaited each get their own answers', async () => {
    const [store] = stores();
    const prefix = freshPrefix();
    const events = notes('many at once', 2);
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, n) => append(store, `${prefix}${n % 50}`, -1, events)),
    );
    // Twice the same append to each of 50 streams: the second one finds its events there.
    expect(results).toEqual(results.map(() => appended(1)));
    for (const n of [0, 49]) await expectStream(store, `${prefix}${n}`, events);
  });
}
