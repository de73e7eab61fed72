import { accountKey, accountStream } from '#libs/contracts';
import { memoryEventStore, type EventStore } from '#libs/event-store';
import { jest } from '@jest/globals';
import { deliveries, grant, TENANT, usage } from '../../../test/fixtures/requests.js';
import { eventsOf, newWorld, watchedStore, writerOn } from '../../../test/fixtures/writer.js';
import { MAX_UNREAD_PER_ACCOUNT } from './read-side-wait.js';

const KEY = accountKey(TENANT, 'acct-1');
const STREAM = accountStream(KEY);

const streamReads = (store: EventStore) =>
  jest.mocked(store.readStream).mock.calls.filter(([stream]) => stream === STREAM).length;
const appendCalls = (store: EventStore) => jest.mocked(store.appendMany).mock.calls.length;
const ids = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => usage(`${prefix}-${i}`));

/** A funded account that the read side knows, and a writer that has only just started. */
async function coldWriter() {
  const world = newWorld();
  const deliver = deliveries();
  const first = writerOn(world);
  await first.handle(deliver([grant('g-1', '1000000')]));
  world.read_side.project();
  const store = watchedStore(world.log);
  const writer = writerOn(world, { store });
  await writer.ports.price_books.refresh([TENANT]);
  jest.mocked(store.readStream).mockClear();
  return { world, deliver, store, writer, first };
}

describe('what a batch costs', () => {
  it('one look-up and one append for a cold account, duplicates included, and no stream read', async () => {
    const { world, deliver, store, writer } = await coldWriter();
    const before = world.read_side.lookUps();
    await writer.handle(deliver([...ids('r', 200), ...ids('r', 200)]));
    expect(world.read_side.lookUps() - before).toBe(1);
    expect(appendCalls(store)).toBe(1);
    expect(streamReads(store)).toBe(0);
  });

  it('the same for many accounts', async () => {
    const { world, deliver, store, writer } = await coldWriter();
    const before = world.read_side.lookUps();
    const requests = ids('r', 200).map((body, i) => ({ ...body, account_id: `acct-${i + 2}` }));
    await writer.handle(deliver(requests));
    expect(world.read_side.lookUps() - before).toBe(1);
    expect(appendCalls(store)).toBe(1);
  });

  it('no conflict while the read side is behind: the cache covers what it does not have', async () => {
    const { deliver, store, writer } = await coldWriter();
    for (let n = 0; n < 5; n += 1) {
      await writer.handle(deliver([usage(`r-${n}`), usage(`r-${n - 1}`)]));
    }
    expect(appendCalls(store)).toBe(5);
    expect(streamReads(store)).toBe(0);
  });
});

describe('the cache is used only when floor ≤ read revision ≤ head', () => {
  it('read revision above head: the snapshot, since another writer was here', async () => {
    const { world, deliver, store, writer, first } = await coldWriter();
    await writer.handle(deliver([usage('r-1')]));
    await first.handle(deliver([usage('r-2'), usage('r-3')]));
    world.read_side.project();
    const { decisions } = await writer.handle(deliver([usage('r-2'), usage('r-4')]));
    expect(decisions.map(({ replayed }) => replayed)).toEqual([true, false]);
    expect(appendCalls(store)).toBe(2);
    expect(streamReads(store)).toBe(0);
  });

  it('read revision below floor (restore, rebuild): the account is forgotten and its stream read', async () => {
    const { world, deliver, store, writer } = await coldWriter();
    await writer.handle(deliver([usage('r-1')]));
    world.read_side.project();
    await writer.handle(deliver([usage('r-2')]));
    world.read_side.project(new Map([[KEY, 0]]));
    const { decisions } = await writer.handle(deliver([usage('r-1'), usage('r-2'), usage('r-3')]));
    expect(decisions.map(({ replayed }) => replayed)).toEqual([true, true, false]);
    expect(streamReads(store)).toBe(1);
    expect(eventsOf(world)).toHaveLength(4);
  });

  it('a snapshot of another version is ignored: the stream is folded, the index still used', async () => {
    const { world, deliver, store, writer } = await coldWriter();
    await writer.handle(deliver([usage('r-1')]));
    world.read_side.project();
    world.read_side.outdate();
    const other = writerOn(world, { store });
    const { decisions } = await other.handle(deliver([usage('r-1'), usage('r-2')]));
    expect(decisions.map(({ replayed }) => replayed)).toEqual([true, false]);
    expect(decisions[1]!.balance_after!.available).toBe(999_998n);
  });

  it('F4: a zombie with an old cache loses the race, reads again and adds nothing', async () => {
    const { world, deliver, store, writer, first } = await coldWriter();
    const messages = deliver(ids('r', 10));
    const [overtaking] = deliver([usage('r-other')]);
    await writer.handle(messages.slice(0, 2));
    await first.handle([messages[1]!, overtaking!, ...messages.slice(2)]);
    const { decisions } = await writer.handle(messages.slice(1));
    expect(decisions.every(({ replayed }) => replayed)).toBe(true);
    expect(streamReads(store)).toBe(1);
    expect(eventsOf(world)).toHaveLength(12);
  });

  it('F4: a zombie that decides the very same batch finds its events there and adds nothing', async () => {
    const { world, deliver, store, writer, first } = await coldWriter();
    const messages = deliver(ids('r', 10));
    const original = await first.handle(messages);
    const { decisions } = await writer.handle(messages);
    expect(decisions).toEqual(original.decisions);
    expect(streamReads(store)).toBe(0);
    expect(eventsOf(world)).toHaveLength(11);
  });

  it('F15: four writers race on one account; each request is decided once', async () => {
    const { world, deliver } = await coldWriter();
    const messages = deliver(ids('r', 40));
    const slow = (): EventStore => {
      const store = memoryEventStore(world.log);
      const appendMany: EventStore['appendMany'] = async (appends) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        return store.appendMany(appends);
      };
      return { ...store, appendMany };
    };
    const writers = Array.from({ length: 4 }, () => writerOn(world, { store: slow() }));
    await Promise.all(
      writers.map(async (writer, n) => {
        for (let at = 0; at < messages.length; at += 5 + n) {
          await writer.handle(messages.slice(at, at + 5 + n));
        }
      }),
    );
    const decided = eventsOf(world).map((event) => 'request_id' in event && event.request_id);
    expect(new Set(decided).size).toBe(41);
    expect(decided).toHaveLength(41);
  });
});

describe('bounded memory', () => {
  it('drops the answers that the read side holds', async () => {
    const { world, deliver, writer } = await coldWriter();
    await writer.handle(deliver(ids('r', 100)));
    expect(writer.ports.cache.unread).toBe(100);
    world.read_side.project();
    await writer.handle(deliver([usage('r-last')]));
    expect(writer.ports.cache.unread).toBe(1);
    expect(writer.ports.cache.take(KEY)!.answers.size).toBe(1);
  });

  it('waits, and says so, while an account is too far ahead of the read side', async () => {
    const { world, deliver, writer } = await coldWriter();
    for (let n = 0; n <= MAX_UNREAD_PER_ACCOUNT; n += 2_000) {
      await writer.handle(deliver(ids(`batch-${n}`, 2_000)));
    }
    const waiting = writer.handle(deliver([usage('r-next')]));
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(writer.ports.read_side_waits.waitingMs()).toBeGreaterThan(0);
    world.read_side.project();
    expect((await waiting).decisions[0]!.outcome).toBe('consumed');
    expect(writer.ports.read_side_waits.waitingMs()).toBe(0);
  });
});
