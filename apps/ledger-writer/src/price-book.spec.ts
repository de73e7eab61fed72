import { followLink, GENESIS, linkEvent, TOPICS } from '#libs/contracts';
import { memoryEventStore, type EventStore } from '#libs/event-store';
import { jest } from '@jest/globals';
import { deliveries, grant, publication, TENANT, usage } from '../../../test/fixtures/requests.js';
import {
  eventsOf,
  fundedWorld,
  newWorld,
  SHIPPED,
  watchedStore,
  writerOn,
  type World,
} from '../../../test/fixtures/writer.js';
import { PriceBookCache } from './price-book-cache.js';

const NOON_MS = Date.UTC(2026, 0, 31, 12);
const LATER = '2026-01-31T13:00:00.000Z';
const PRICES_OF_7 = { 'text.generation': { credits: 7 } };
const BOOKS = `pricebook-${TENANT}`;

/** Plants an event with a valid chain after the shipped price book. */
async function appendToBooks(world: World, data: string): Promise<void> {
  const [shipped] = world.log.streams.get(BOOKS)!;
  const { event } = linkEvent(followLink(GENESIS, shipped!), 'PriceBookPublished', data);
  const append = { stream: BOOKS, expected_revision: 0, events: [event] };
  await memoryEventStore(world.log).appendMany([append]);
}

describe('F26: the price book', () => {
  it('is shipped once, though two writers start at once', async () => {
    const world = newWorld();
    const deliver = deliveries();
    await Promise.all([
      writerOn(world).handle(deliver([grant('g-1', '5')])),
      writerOn(world).handle(deliver([grant('g-2', '5', { account_id: 'acct-2' })])),
    ]);
    expect(world.log.streams.get(`pricebook-${TENANT}`)).toHaveLength(1);
  });

  it('that a newer version wrote stops every decision, now and later', async () => {
    const { world, deliver } = await fundedWorld();
    let now_ms = NOON_MS;
    const writer = writerOn(world, { clock: () => now_ms });
    await writer.handle(deliver([usage('r-1')]));
    await appendToBooks(world, '{"schema":2}');
    for (const id of ['r-2', 'r-3']) {
      now_ms += 11_000;
      await expect(writer.handle(deliver([usage(id)]))).rejects.toThrow('cannot be read');
    }
    expect(eventsOf(world)).toHaveLength(2);
  });

  it('whose first publication is not known to be written is waited for', async () => {
    const world = newWorld();
    const store = memoryEventStore(world.log);
    const appendMany = async () => [{ kind: 'unknown' as const, why: 'no answer' }];
    const writer = writerOn(world, { store: { ...store, appendMany } });
    const [message] = deliveries()([usage('r-1')]);
    await expect(writer.handle([message!])).rejects.toThrow('no price book yet');
    expect(world.read_side.parked.size).toBe(0);
    expect((await writerOn(world).handle([message!])).decisions).toHaveLength(1);
  });

  it("that is damaged stops what needs its tenant's prices, and nothing else", async () => {
    const { world, deliver } = await fundedWorld();
    let now_ms = NOON_MS;
    const writer = writerOn(world, { clock: () => now_ms });
    const other = { tenant_id: 'other' };
    const decided = deliver([usage('r-1'), grant('g-2', '9', other)]);
    await writer.handle(decided);
    await appendToBooks(world, '{"damaged":true}');
    now_ms += 11_000;
    const book = publication('p-1', { version: 'v2', effective_from: LATER, prices: PRICES_OF_7 });
    const { decisions, letters } = await writer.handle([
      ...decided,
      ...deliver([usage('r-2'), grant('g-3', '5'), usage('r-3'), usage('r-4', other), book]),
    ]);
    expect(decisions.map(({ request_id }) => request_id).sort()).toEqual(
      ['r-1', 'g-2', 'g-3', 'r-4'].sort(),
    );
    expect(letters.map(({ reason, source }) => [reason, source.offset])).toEqual(
      [3, 5, 7].map((offset) => ['unprocessable', offset]),
    );
    expect(letters[0]!.detail).toContain(`the price books of ${TENANT}: `);
    expect(world.read_side.parked.size).toBe(0);

    world.log.streams.get(BOOKS)!.pop();
    expect((await writer.handle(deliver([usage('r-2')]))).decisions).toHaveLength(1);
  });

  it('prices on while it cannot be read, up to 20 s after its last read began', async () => {
    const { world, deliver } = await fundedWorld();
    const store = watchedStore(world.log);
    let now_ms = NOON_MS;
    const writer = writerOn(world, { store, clock: () => now_ms });
    await writer.handle(deliver([usage('r-1')]));
    const { readStream } = memoryEventStore(world.log);
    jest.mocked(store.readStream).mockImplementation((stream, options) => {
      if (stream === BOOKS) throw new Error('the store is away');
      return readStream(stream, options);
    });
    const at = (ms: number) => deliveries(TOPICS.requests, NOON_MS + ms);
    now_ms += 30_000;
    expect((await writer.handle(at(19_999)([usage('r-2')]))).decisions).toHaveLength(1);
    const late = at(20_000)([usage('r-3')]);
    await expect(writer.handle(late)).rejects.toMatchObject({
      message: expect.stringContaining(
        `of ${TENANT} at 2026-01-31T12:00:20.000Z cannot be priced yet: its prices are known before 2026-01-31T12:00:20.000Z only`,
      ),
      cause: { message: 'the store is away' },
    });
    // What needs no price goes on: a grant, and an answer that was given before.
    const [, again] = deliver([usage('r-0'), usage('r-1')]);
    const { decisions } = await writer.handle([again!, ...at(21_000)([grant('g-2', '5')])]);
    expect(decisions.map(({ outcome }) => outcome).sort()).toEqual(['consumed', 'granted']);
  });

  it('is read again as soon as a newer read may be enough', async () => {
    const { world, deliver } = await fundedWorld();
    let now_ms = NOON_MS;
    const writer = writerOn(world, { clock: () => now_ms });
    await writer.handle(deliver([usage('r-1')]));
    now_ms += 9_000;
    const ahead = deliveries(TOPICS.requests, now_ms + 15_000)([usage('r-2')]);
    await expect(writer.handle(ahead)).rejects.toThrow('check the clocks');
    expect((await writer.handle(ahead)).decisions).toHaveLength(1);
  });

  it('is read again after the clock was set back', async () => {
    const { world, deliver } = await fundedWorld();
    let now_ms = NOON_MS + 3_600_000;
    const writer = writerOn(world, { clock: () => now_ms });
    await writer.handle(deliver([usage('r-1')]));
    now_ms = NOON_MS;
    const ahead = deliveries(TOPICS.requests, NOON_MS + 60_000)([usage('r-2')]);
    await expect(writer.handle(ahead)).rejects.toThrow('check the clocks');
  });

  it('F26: prices one instant alike in every writer, though the broker was minutes ahead', async () => {
    const { world } = await fundedWorld();
    let now_ms = NOON_MS + 60_000;
    const clock = () => now_ms;
    const deliver = (...args: Parameters<ReturnType<typeof deliveries>>) =>
      deliveries(TOPICS.requests, now_ms)(...args);
    const writer = writerOn(world, { clock });
    const ahead = deliveries(TOPICS.requests, now_ms + 9 * 60_000);
    // A grant needs no price: its account is nine minutes ahead from now on.
    await writer.handle(ahead([grant('g-2', '5')]));
    await expect(writer.handle(ahead([usage('r-1')]))).rejects.toThrow('check the clocks');
    const effective_from = '2026-01-31T12:02:05.000Z';
    const book = publication('p-1', { version: 'v2', effective_from, prices: PRICES_OF_7 });
    const { decisions } = await writerOn(world, { clock }).handle(deliver([book]));
    expect(decisions).toMatchObject([{ outcome: 'price_book_published' }]);
    now_ms += 5_000;
    const [r_2, r_3] = [deliver([usage('r-2')]), deliver([usage('r-3')])];
    await expect(writer.handle(r_2)).rejects.toThrow('check the clocks');
    await expect(writerOn(world, { clock }).handle(r_3)).rejects.toThrow('check the clocks');
    now_ms += 9 * 60_000;
    for (const message of [r_2, r_3]) {
      const late = await writer.handle(message);
      expect(late.decisions).toMatchObject([{ credits: 7n, price_book_version: 'v2' }]);
    }
  });

  it('F26: is read again before an account is priced that another writer has moved on', async () => {
    const { world, deliver } = await fundedWorld();
    const store = watchedStore(world.log);
    let now_ms = NOON_MS;
    const clock = () => now_ms;
    const { appendMany } = store;
    const overtaken = jest.fn(appendMany).mockImplementationOnce(async (appends) => {
      // It stalls for a minute, in which another writer prices on.
      now_ms += 60_000;
      await writerOn(world, { clock }).handle(
        deliveries(TOPICS.requests, now_ms)([usage('r-other')]),
      );
      return appendMany(appends);
    });
    const writer = writerOn(world, { store: { ...store, appendMany: overtaken }, clock });
    await writer.ports.price_books.refresh([TENANT]);
    const { decisions } = await writer.handle(deliver([usage('r-1')]));
    expect(decisions).toMatchObject([{ recorded_at: '2026-01-31T12:01:00.000Z' }]);
  });

  it('of many tenants are read together', async () => {
    const { world } = await fundedWorld();
    const store = memoryEventStore(world.log);
    let [reads, most] = [0, 0];
    const readStream: EventStore['readStream'] = async function* (stream, options) {
      most = Math.max(most, (reads += 1));
      await new Promise(setImmediate);
      reads -= 1;
      yield* store.readStream(stream, options);
    };
    const price_books = new PriceBookCache({ ...store, readStream }, SHIPPED);
    await price_books.refresh(Array.from({ length: 100 }, (_, i) => `tenant-${i}`));
    expect(most).toBe(16);
  });

  it('publishes a price book, replays it, and prices by it once it is in force', async () => {
    const { world, deliver } = await fundedWorld();
    const writer = writerOn(world);
    const book = publication('p-1', {
      version: 'v2',
      effective_from: '2026-01-31T13:00:00Z',
      prices: { 'text.generation': { credits: 7 } },
    });
    const { decisions } = await writer.handle(deliver([book, book, usage('r-1')]));
    expect(decisions.map(({ outcome, replayed }) => [outcome, replayed])).toEqual([
      ['consumed', false],
      ['price_book_published', false],
      ['price_book_published', true],
    ]);
    const later = deliveries(TOPICS.requests, Date.UTC(2026, 0, 31, 13));
    const after = await writerOn(world, { clock: () => Date.UTC(2026, 0, 31, 13) }).handle(
      later([usage('r-2', { occurred_at: '2026-01-31T12:30:00.000Z' })]),
    );
    expect(after.decisions[0]).toMatchObject({ credits: 7n, price_book_version: 'v2' });
  });

  it('F26: refuses a price book whose notice ran out while it waited to be decided', async () => {
    const { world, deliver } = await fundedWorld();
    const book = publication('p-1', {
      version: 'v2',
      effective_from: '2026-01-31T12:02:00Z',
      prices: { 'text.generation': { credits: 7 } },
    });
    // Usage that was stamped after 12:02 may have been decided by now, by the old prices.
    const writer = writerOn(world, { clock: () => Date.UTC(2026, 0, 31, 12, 1, 1) });
    const { decisions } = await writer.handle(deliver([book]));
    expect(decisions).toMatchObject([{ outcome: 'rejected', reason: 'effective_from_too_soon' }]);
  });

  it('F26: is not written late, when others have priced without it', async () => {
    const { world, deliver } = await fundedWorld();
    const store = memoryEventStore(world.log);
    const [minute_1, minute_2] = [Date.UTC(2026, 0, 31, 12, 1), Date.UTC(2026, 0, 31, 12, 2)];
    let now_ms = minute_1;
    const messages = deliver([
      publication('p-1', {
        version: 'v2',
        effective_from: '2026-01-31T12:02:00Z',
        prices: { 'text.generation': { credits: 7 } },
      }),
    ]);
    // The store is away until the version takes effect.
    const appendMany = jest.fn(store.appendMany).mockImplementationOnce(async () => {
      now_ms = minute_2;
      return [{ kind: 'unknown', why: 'no answer' }];
    });
    const writer = writerOn(world, { store: { ...store, appendMany }, clock: () => now_ms });
    await writer.ports.price_books.refresh([TENANT]);
    await expect(writer.handle(messages)).rejects.toThrow('its notice runs out');
    expect(appendMany).toHaveBeenCalledTimes(1);
    const { decisions } = await writer.handle(messages);
    expect(decisions).toMatchObject([{ outcome: 'rejected', reason: 'effective_from_too_soon' }]);
  });
});
