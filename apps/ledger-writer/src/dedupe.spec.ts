import { TOPICS } from '#libs/contracts';
import { deliveries, grant, publication, sweep, usage } from '../../../test/fixtures/requests.js';
import { eventsOf, newWorld, writerOn } from '../../../test/fixtures/writer.js';

async function fundedWorld(credits = '100') {
  const world = newWorld();
  const deliver = deliveries();
  await writerOn(world).handle(deliver([grant('g-1', credits)]));
  return { world, deliver };
}

describe('one decision per request id, for ever', () => {
  it('F1: twice in a batch', async () => {
    const { world, deliver } = await fundedWorld();
    const { decisions } = await writerOn(world).handle(deliver([usage('r-1'), usage('r-1')]));
    expect(decisions.map(({ outcome, replayed }) => [outcome, replayed])).toEqual([
      ['consumed', false],
      ['consumed', true],
    ]);
    expect(decisions[1]).toEqual({ ...decisions[0], replayed: true });
    expect(eventsOf(world)).toHaveLength(2);
  });

  it.each([
    ['the read side still behind', false],
    ['the read side caught up', true],
  ])('F1: across batches, %s', async (_, project) => {
    const { world, deliver } = await fundedWorld();
    const writer = writerOn(world);
    const first = await writer.handle(deliver([usage('r-1', { quantity: 3 })]));
    if (project) world.read_side.project();
    const again = await writer.handle(deliver([usage('r-1', { quantity: 3 }), usage('r-2')]));
    expect(again.decisions[0]).toEqual({ ...first.decisions[0], replayed: true });
    expect(again.decisions[1]!.balance_after!.available).toBe(96n);
    expect(eventsOf(world)).toHaveLength(3);
  });

  it.each([
    ['the read side empty', false],
    ['the read side caught up', true],
  ])('F1, F6: after a restart, %s', async (_, project) => {
    const { world, deliver } = await fundedWorld();
    const first = await writerOn(world).handle(deliver([usage('r-1')]));
    if (project) world.read_side.project();
    const again = await writerOn(world).handle(deliver([usage('r-1'), usage('r-2')]));
    expect(again.decisions[0]).toEqual({ ...first.decisions[0], replayed: true });
    expect(again.decisions[1]!.balance_after!.available).toBe(98n);
  });

  it('F8: redelivered with other batch boundaries', async () => {
    const { world, deliver } = await fundedWorld('5');
    const messages = deliver(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id) => usage(id)));
    await writerOn(world).handle(messages.slice(0, 4));
    const again = await writerOn(world).handle(messages.slice(2));
    expect(again.decisions.map(({ outcome }) => outcome)).toEqual([
      ...Array<string>(3).fill('consumed'),
      ...Array<string>(2).fill('rejected'),
    ]);
    expect(eventsOf(world)).toHaveLength(8);
  });

  it('a rejection is final too, though credits came since', async () => {
    const { world, deliver } = await fundedWorld('1');
    const writer = writerOn(world);
    const first = await writer.handle(deliver([usage('r-1', { quantity: 2 })]));
    await writer.handle(deliver([grant('g-2', '50')]));
    const again = await writer.handle(deliver([usage('r-1', { quantity: 2 })]));
    expect(first.decisions[0]).toMatchObject({ outcome: 'rejected', shortfall: 1n });
    expect(again.decisions[0]).toEqual({ ...first.decisions[0], replayed: true });
  });

  it('F2: the same id with other units is a conflict, answered, dead-lettered and not charged', async () => {
    const { world, deliver } = await fundedWorld();
    const writer = writerOn(world);
    const first = await writer.handle(deliver([usage('r-1')]));
    const { decisions, letters } = await writer.handle(deliver([usage('r-1', { quantity: 9 })]));
    expect(decisions[0]).toMatchObject({
      outcome: 'conflict',
      original_fingerprint: first.decisions[0]!.fingerprint,
    });
    expect(letters.map(({ reason }) => reason)).toEqual(['conflict']);
    expect(eventsOf(world)).toHaveLength(2);
  });

  it('the scope of an id is its account', async () => {
    const { world, deliver } = await fundedWorld();
    const writer = writerOn(world);
    const { decisions } = await writer.handle(
      deliver([usage('r-1'), usage('r-1', { account_id: 'acct-2' })]),
    );
    const outcomes = new Map(decisions.map(({ account_id, outcome }) => [account_id, outcome]));
    expect(outcomes).toEqual(
      new Map([
        ['acct-1', 'consumed'],
        ['acct-2', 'rejected'],
      ]),
    );
  });
});

describe('what a batch records', () => {
  it('keeps the order of each account and answers in it', async () => {
    const { world, deliver } = await fundedWorld('3');
    const { decisions } = await writerOn(world).handle(
      deliver([
        usage('a', { quantity: 2 }),
        usage('b', { quantity: 2 }),
        grant('g-2', '1'),
        usage('c', { quantity: 2 }),
      ]),
    );
    expect(decisions.map(({ request_id, outcome }) => [request_id, outcome])).toEqual([
      ['a', 'consumed'],
      ['b', 'rejected'],
      ['g-2', 'granted'],
      ['c', 'consumed'],
    ]);
  });

  it('records what is due before the decision, and a sweep records it alone', async () => {
    const { world, deliver } = await fundedWorld('10');
    const writer = writerOn(world);
    await writer.handle(deliver([grant('g-2', '5', { expires_at: '2026-01-31T12:00:00.003Z' })]));
    const swept = await writer.handle(
      deliver([usage('r-1'), sweep('sys:sweep:1'), sweep('sys:sweep:2')]),
    );
    expect(swept.decisions.map(({ outcome }) => outcome)).toEqual([
      'consumed',
      'expired',
      'nothing_due',
    ]);
    expect(
      eventsOf(world)
        .map(({ type }) => type)
        .slice(2),
    ).toEqual(['UsageConsumed', 'CreditsExpired']);
  });

  it('copies the request coordinate onto the event', async () => {
    const { world, deliver } = await fundedWorld();
    await writerOn(world).handle(deliver([usage('r-1')]));
    expect(eventsOf(world)[1]!.source).toEqual({ topic: TOPICS.requests, partition: 0, offset: 1 });
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
});
