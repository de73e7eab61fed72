import type { Stores } from '../contract.js';
import type { AppendResult, EventStore } from '../port.js';
import * as streams from './streams.js';

const { append, appended, conflict, create, expectStream, freshPrefix, notes } = streams;

export function idempotency(stores: Stores): void {
  describe('an append repeated with the same ids', () => {
    it('is appended at the revision it got, and written once', async () => {
      const [store, other] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('once', 3);
      await create(store, stream, events);
      expect(await append(store, stream, -1, events)).toEqual(appended(2));
      expect(await append(other, stream, -1, events)).toEqual(appended(2));
      await expectStream(store, stream, events);
    });

    it('is so too when later events follow, and in the middle of a stream', async () => {
      const [store] = stores();
      const stream = `${freshPrefix()}a`;
      const events = notes('once', 7);
      await create(store, stream, events.slice(0, 2));
      expect(await append(store, stream, 1, events.slice(2, 5))).toEqual(appended(4));
      expect(await append(store, stream, 4, events.slice(5))).toEqual(appended(6));
      expect(await append(store, stream, 1, events.slice(2, 5))).toEqual(appended(4));
      expect(await append(store, stream, -1, events.slice(0, 2))).toEqual(appended(1));
      expect(await append(store, stream, 1, events.slice(2, 3))).toEqual(appended(2));
      await expectStream(store, stream, events);
    });

    it('is answered beside fresh appends, conflicts and repeats of others', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const events = notes('once', 4);
      const others = notes('other', 4);
      await create(store, `${prefix}again`, events);
      await create(store, `${prefix}grown`, events);
      await create(store, `${prefix}taken`, others);
      const results = await store.appendMany([
        { stream: `${prefix}taken`, expected_revision: -1, events },
        { stream: `${prefix}again`, expected_revision: -1, events },
        { stream: `${prefix}fresh`, expected_revision: -1, events },
        { stream: `${prefix}grown`, expected_revision: 0, events: events.slice(1, 3) },
      ]);
      expect(results).toEqual([conflict(3), appended(3), appended(3), appended(2)]);
      await expectStream(store, `${prefix}taken`, others);
      for (const name of ['again', 'fresh', 'grown']) {
        await expectStream(store, prefix + name, events);
      }
    });
  });

  it('a partial overlap conflicts: some events there, others not', async () => {
    const [store] = stores();
    const stream = `${freshPrefix()}a`;
    const events = notes('there', 3);
    await create(store, stream, events);
    const beyond = notes('beyond', 1, streams.headAfter(events));
    const swapped = [events[1]!, events[0]!];
    const forked = [events[0]!, ...notes('fork', 1, streams.headAfter(events.slice(0, 1)))];
    expect(await append(store, stream, -1, [...events, ...beyond])).toEqual(conflict(2));
    expect(await append(store, stream, 1, [events[2]!, ...beyond])).toEqual(conflict(2));
    expect(await append(store, stream, -1, forked)).toEqual(conflict(2));
    expect(await append(store, stream, -1, swapped)).toEqual(conflict(2));
    await expectStream(store, stream, events);
  });

  it('the same ids at another place conflict', async () => {
    const [store] = stores();
    const stream = `${freshPrefix()}a`;
    const events = notes('placed', 3);
    await create(store, stream, events);
    expect(await append(store, stream, -1, events.slice(1))).toEqual(conflict(2));
    expect(await append(store, stream, 0, events.slice(0, 1))).toEqual(conflict(2));
    await expectStream(store, stream, events);
  });

  it('a repeat while the first call is still under way is written once', async () => {
    const [store, other] = stores();
    const stream = `${freshPrefix()}a`;
    const events = notes('at the same time', 5);
    /** A store may not be able to tell yet what becomes of the first call: `unknown`, to be repeated. */
    const settle = async (by: EventStore): Promise<AppendResult> => {
      const result = await append(by, stream, -1, events);
      return result.kind === 'unknown' ? settle(by) : result;
    };
    const results = await Promise.all([settle(store), settle(store), settle(other)]);
    expect(results).toEqual([appended(4), appended(4), appended(4)]);
    await expectStream(store, stream, events);
  }, 30_000);
}
