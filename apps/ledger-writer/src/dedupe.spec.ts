import { TOPICS } from '#libs/contracts';
import { deliveries, grant, sweep, usage } from '../../../test/fixtures/requests.js';
import { eventsOf, newWorld, writerOn } from '../../../test/fixtures/writer.js';

/** Its grant is not projected yet. */
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

  it('F1, F6: without a time of its own it is of the time of its first message', async () => {
    const { world, deliver } = await fundedWorld();
    const ask = () => deliver([usage('r-1', { occurred_at: undefined })]);
    const [first, again] = [ask(), ask()];
    const { decisions } = await writerOn(world).handle(first);
    expect(eventsOf(world).at(-1)).toMatchObject({ occurred_at: first[0]!.timestamp });
    expect(again[0]!.timestamp > first[0]!.timestamp).toBe(true);
    for (const messages of [first, again]) {
      const { decisions: repeated } = await writerOn(world).handle(messages);
      expect(repeated).toEqual([{ ...decisions[0], replayed: true }]);
    }
    expect(eventsOf(world)).toHaveLength(2);
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
});
