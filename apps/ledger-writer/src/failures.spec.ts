import {
  accountKey,
  accountStream,
  encodeEvent,
  InvariantBroken,
  linkEvent,
  TOPICS,
  type AccountEvent,
  type Instant,
} from '#libs/contracts';
import { memoryEventStore, type AppendResult, type EventStore } from '#libs/event-store';
import { memoryMessageBus } from '#libs/message-bus';
import { jest } from '@jest/globals';
import { deliveries, grant, messageOf, TENANT, usage } from '../../../test/fixtures/requests.js';
import {
  eventsOf,
  fundedWorld,
  watchedStore,
  writerOn,
  type World,
} from '../../../test/fixtures/writer.js';

const STREAM = accountStream(accountKey(TENANT, 'acct-1'));

/** A store whose first answer is lost; `written` says whether the events were. */
function forgetfulStore(world: World, written: boolean): EventStore {
  const store = memoryEventStore(world.log);
  const appendMany = jest.fn(store.appendMany);
  appendMany.mockImplementationOnce(async (appends) => {
    if (written) await store.appendMany(appends);
    return appends.map((): AppendResult => ({ kind: 'unknown', why: 'no answer' }));
  });
  return { ...store, appendMany };
}

describe('an append without an answer', () => {
  it.each([
    ['F9: was written', true],
    ['F9: was not written', false],
  ])('%s: the identical call is repeated', async (_, written) => {
    const { world, deliver } = await fundedWorld();
    const store = forgetfulStore(world, written);
    const { decisions } = await writerOn(world, { store }).handle(deliver([usage('r-1')]));
    const [first, second] = jest.mocked(store.appendMany).mock.calls;
    expect(second).toEqual(first);
    expect(decisions[0]).toMatchObject({ outcome: 'consumed', revision: 1 });
    expect(eventsOf(world)).toHaveLength(2);
  });

  it('F7: nothing is published when the append fails', async () => {
    const { world, deliver } = await fundedWorld();
    const publish = jest.fn(async () => {});
    const store = memoryEventStore(world.log);
    const appendMany = async () => [{ kind: 'refused' as const, why: 'access denied' }];
    const writer = writerOn(world, { store: { ...store, appendMany }, bus: { publish } });
    await expect(writer.handle(deliver([usage('r-1')]))).rejects.toThrow('access denied');
    expect(publish).not.toHaveBeenCalled();
  });

  it('F6: a crash between append and publish: the redelivery finds the decision', async () => {
    const { world, deliver } = await fundedWorld();
    const messages = deliver([usage('r-1')]);
    const publish = async () => Promise.reject(new Error('killed'));
    await expect(writerOn(world, { bus: { publish } }).handle(messages)).rejects.toThrow('killed');
    const { decisions } = await writerOn(world).handle(messages);
    expect(decisions[0]).toMatchObject({ outcome: 'consumed', revision: 1 });
    expect(eventsOf(world)).toHaveLength(2);
  });

  it('F14: a stream that is shorter than what was read stops the writer', async () => {
    const { world, deliver } = await fundedWorld();
    const writer = writerOn(world);
    await writer.handle(deliver([usage('r-1'), usage('r-2')]));
    world.log.streams.get(STREAM)!.pop();
    await expect(writer.handle(deliver([usage('r-3')]))).rejects.toThrow('lost its tail');
  });
});

describe('F19, F20, F30: what is not a request becomes a dead letter and holds nothing up', () => {
  const poison = messageOf(usage('r-1'));
  const key = poison.key;
  it.each([
    ['broken JSON', { key, value: '{"a":' }, 'undecodable'],
    ['no value', { key, value: null }, 'undecodable'],
    ['bytes that are no text', { key, value: Buffer.from([0xff, 0xfe]) }, 'undecodable'],
    ['a wrong schema', { key, value: '{"schema":1}' }, 'invalid_request'],
    ['F21: a schema of the future', { key, value: '{"schema":2}' }, 'unknown_schema'],
    ['no key', { ...poison, key: null }, 'wrong_key'],
    ['the key of another account', { ...poison, key: 'acme/other' }, 'wrong_key'],
    ['a huge value', { key, value: `"${'x'.repeat(300_000)}"` }, 'too_large'],
    [
      'a time in the future',
      messageOf(usage('r-9', { occurred_at: '2026-01-31T12:06:00.000Z' })),
      'occurred_in_future',
    ],
    [
      'a sweep by a caller',
      messageOf({ ...usage('r-9'), type: 'SweepRequested' }),
      'invalid_request',
    ],
  ])('%s', async (_, message, reason) => {
    const { world, deliver } = await fundedWorld();
    const { decisions, letters } = await writerOn(world).handle(deliver([message, usage('r-ok')]));
    expect(letters).toMatchObject([{ reason, source: { offset: 1 } }]);
    expect(decisions.map(({ request_id }) => request_id)).toEqual(['r-ok']);
  });

  it.each([
    ['quotes', '"'.repeat(900_000)],
    ['bytes', Buffer.alloc(900_000, 0xff)],
    ['control characters', '\u0001'.repeat(200_000)],
  ])('F20: what would outgrow the bus as a letter is cut: %s', async (_, value) => {
    const { world, deliver } = await fundedWorld();
    const bus = memoryMessageBus({ topics: Object.values(TOPICS), partitions: 1 });
    const writer = writerOn(world, { bus });
    await writer.handle(deliver([{ key: '"'.repeat(90_000), value }, usage('r-ok')]));
    await bus.close();
    expect(eventsOf(world)).toHaveLength(2);
  });

  it('whoever may publish usage may not mint credits', async () => {
    const { world } = await fundedWorld();
    const onUsage = deliveries(TOPICS.usage);
    const { letters } = await writerOn(world).handle(onUsage([grant('g-9', '5'), usage('r-1')]));
    expect(letters).toMatchObject([{ reason: 'wrong_topic' }]);
    expect(eventsOf(world)).toHaveLength(2);
  });
});

describe('an account that contradicts itself', () => {
  /** Plants an event with a valid chain whose balance is wrong, beyond what the read side has. */
  async function brokenWorld() {
    const { world, deliver } = await fundedWorld();
    const [granted] = eventsOf(world) as [Extract<AccountEvent, { type: 'CreditsGranted' }>];
    const balance_after = { available: 5n, reserved: 0n };
    const recorded_at = '2026-01-31T12:00:01.000Z' as Instant;
    const wrong = {
      ...granted,
      grant_id: 'g-2' as typeof granted.grant_id,
      recorded_at,
      balance_after,
    };
    const chain = JSON.parse(world.log.events.at(-1)!.meta) as { chain: string };
    const head = { revision: 0, chain: chain.chain };
    const { event } = linkEvent(head, wrong.type, encodeEvent(wrong));
    const append = { stream: STREAM, expected_revision: 0, events: [event] };
    await memoryEventStore(world.log).appendMany([append]);
    return { world, deliver };
  }

  it('is parked: its requests are kept as dead letters in order, other accounts go on', async () => {
    const { world, deliver } = await brokenWorld();
    const writer = writerOn(world);
    const { decisions, letters } = await writer.handle(
      deliver([usage('r-1'), grant('g-o', '9', { account_id: 'other' }), usage('r-2')]),
    );
    expect(letters.map(({ reason }) => reason)).toEqual(['unprocessable', 'account_parked']);
    expect(decisions.map(({ account_id }) => account_id)).toEqual(['other']);
    expect([...world.read_side.parked.keys()]).toEqual(['acme/acct-1']);

    const later = await writerOn(world).handle(deliver([usage('r-3')]));
    expect(later.letters.map(({ reason }) => reason)).toEqual(['account_parked']);
  });

  it('is parked at the request whose index row is damaged, what came before it is decided', async () => {
    const { world, deliver } = await fundedWorld();
    const { read_side } = world;
    const lookUp: typeof read_side.lookUp = async (questions) => {
      const { accounts, decisions } = await read_side.lookUp(questions);
      const damaged = questions.requests.map(({ request_id }) => request_id === 'r-2');
      const broken = new InvariantBroken('its row is damaged');
      return { accounts, decisions: decisions.map((one, i) => (damaged[i] ? broken : one)) };
    };
    const writer = writerOn(world, { read_side: { ...read_side, lookUp } });
    const other = grant('g-o', '9', { account_id: 'other' });
    const batch = deliver([usage('r-1'), usage('r-2'), other, usage('r-3')]);
    const { decisions, letters } = await writer.handle(batch);
    expect(decisions.map(({ request_id }) => request_id).sort()).toEqual(['g-o', 'r-1']);
    expect(letters.map(({ reason, detail }) => [reason, detail])).toEqual([
      ['unprocessable', 'its row is damaged'],
      ['account_parked', expect.any(String)],
    ]);
    expect(eventsOf(world)).toHaveLength(2);
    expect([...world.read_side.parked.keys()]).toEqual(['acme/acct-1']);
  });
});

describe('limits of the store', () => {
  it('F20: a batch larger than one append takes several, in order', async () => {
    const { world, deliver } = await fundedWorld();
    const store = watchedStore(world.log, { max_events: 3, max_bytes: 900_000 });
    const requests = Array.from({ length: 8 }, (_, i) => usage(`r-${i}`));
    const { decisions } = await writerOn(world, { store }).handle(deliver(requests));
    expect(decisions.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const sizes = jest
      .mocked(store.appendMany)
      .mock.calls.flat(2)
      .map(({ events }) => events.length);
    expect(sizes).toEqual([3, 3, 2]);
  });

  it('more due events than one append holds are recorded ahead, the decision last', async () => {
    const { world, deliver } = await fundedWorld();
    const packs = Array.from({ length: 7 }, (_, i) =>
      grant(`pack-${i}`, '5', { expires_at: '2026-01-31T12:00:01.000Z' }),
    );
    const store = watchedStore(world.log, { max_events: 3, max_bytes: 900_000 });
    const writer = writerOn(world, { store });
    await writer.handle(deliver(packs));
    const later = deliveries(TOPICS.requests, Date.UTC(2026, 0, 31, 12, 0, 2));
    const { decisions } = await writer.handle(later([usage('r-1')]));
    expect(decisions[0]).toMatchObject({ outcome: 'consumed', balance_after: { available: 99n } });
    expect(
      eventsOf(world)
        .slice(8)
        .map(({ type }) => type),
    ).toEqual([...Array<string>(7).fill('CreditsExpired'), 'UsageConsumed']);
  });

  it('by bytes as well as by count', async () => {
    const { world, deliver } = await fundedWorld();
    const store = watchedStore(world.log, { max_events: 100, max_bytes: 1_500 });
    await writerOn(world, { store }).handle(deliver([usage('a'), usage('b'), usage('c')]));
    expect(eventsOf(world)).toHaveLength(4);
    expect(jest.mocked(store.appendMany).mock.calls.length).toBeGreaterThan(1);
  });
});

describe('time', () => {
  it('F25: a record far ahead of this clock stops the partition, undecided', async () => {
    const { world } = await fundedWorld();
    const ahead = deliveries(TOPICS.requests, Date.UTC(2026, 0, 31, 12, 11));
    await expect(writerOn(world).handle(ahead([usage('r-1')]))).rejects.toThrow('10 minutes ahead');
    expect(eventsOf(world)).toHaveLength(1);
  });

  it('F25: the account never goes back in time when the broker does', async () => {
    const { world, deliver } = await fundedWorld();
    const writer = writerOn(world);
    await writer.handle(deliver([usage('r-1')]));
    const back = deliveries(TOPICS.requests, Date.UTC(2026, 0, 31, 11));
    await writer.handle(back([usage('r-2', { occurred_at: '2026-01-31T10:00:00.000Z' })]));
    const [, first, second] = eventsOf(world);
    expect(second!.recorded_at).toBe(first!.recorded_at);
  });
});
