import { followLink, GENESIS, linkEvent, TOPICS } from '#libs/contracts';
import { memoryEventStore } from '#libs/event-store';
import { jest } from '@jest/globals';
import { deliveries, grant, publication, TENANT, usage } from '../../../test/fixtures/requests.js';
import {
  eventsOf,
  fundedWorld,
  newWorld,
  SHIPPED,
  watchedStore,
  writerOn,
} from '../../../test/fixtures/writer.js';
import { PriceBookCache } from './price-book-cache.js';

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

  it('that this version cannot read stops every decision, now and later', async () => {
    const { world, deliver } = await fundedWorld();
    let elapsed_ms = 0;
    const store = watchedStore(world.log);
    const price_books = new PriceBookCache(store, SHIPPED, () => elapsed_ms);
    const writer = writerOn(world, { store, price_books });
    await writer.handle(deliver([usage('r-1')]));
    const stream = `pricebook-${TENANT}`;
    const [shipped] = world.log.streams.get(stream)!;
    const head = followLink(GENESIS, shipped!);
    const { event } = linkEvent(head, 'PriceBookPublished', '{"schema":2}');
    await store.appendMany([{ stream, expected_revision: 0, events: [event] }]);
    for (const id of ['r-2', 'r-3']) {
      elapsed_ms += 11_000;
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

  it('nothing is decided on one that was last read more than 30 s ago', async () => {
    const { world, deliver } = await fundedWorld();
    let elapsed_ms = 0;
    const store = watchedStore(world.log);
    const price_books = new PriceBookCache(store, SHIPPED, () => elapsed_ms);
    const writer = writerOn(world, { store, price_books });
    await writer.handle(deliver([usage('r-1')]));
    jest.mocked(store.readStream).mockImplementation(() => {
      throw new Error('the store is away');
    });
    elapsed_ms = 29_000;
    expect((await writer.handle(deliver([usage('r-2')]))).decisions).toHaveLength(1);
    elapsed_ms = 31_000;
    await expect(writer.handle(deliver([usage('r-3')]))).rejects.toThrow('the store is away');
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
