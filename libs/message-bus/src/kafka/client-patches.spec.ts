import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import SocketRequest from 'kafkajs/src/network/requestQueue/socketRequest.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { jest } from '@jest/globals';
import { standInClient, type StandIn } from '../../kafka-stand-in.js';
import { isFetchedBy, type GroupHooks, type Membership } from './client-patches.js';

const logger = { debug() {}, warn() {}, error() {}, info() {} };
type Queue = RequestQueue & { throttledUntil: number; pending: unknown[]; destroy(): void };
const createQueue = () =>
  new (RequestQueue as unknown as new (options: object) => Queue)({
    logger,
    maxInFlightRequests: null,
    requestTimeout: 1_000,
  });

describe('client hazard 9: an idle connection costs nothing', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('keeps no timer when nothing waits', () => {
    createQueue().scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('still looks again when something waits, or the broker asked for a pause', () => {
    const waiting = createQueue();
    waiting.pending.push({});
    waiting.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(1);
    const throttled = createQueue();
    throttled.throttledUntil = Date.now() + 100;
    throttled.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(2);
  });
});

describe('client hazard 5, F17: an offset out of range', () => {
  /** A group that wants offset 10, and the ranges that its log has one after the other. */
  const groupAt10 = (...ranges: (readonly [begin: string | null, end: string | null])[]) => {
    let looks = 0;
    const cluster = {
      refreshMetadata: async () => void looks++,
      fetchTopicsOffset: async ([asked]: { fromBeginning: boolean }[]) => {
        const [begin, end] = ranges[Math.min(looks, ranges.length) - 1]!;
        return [
          {
            topic: 't',
            partitions: [{ partition: 3, offset: asked!.fromBeginning ? begin : end }],
          },
        ];
      },
    };
    const offsetManager = { nextOffset: () => '10' };
    const group = Object.create(ConsumerGroup.prototype) as ConsumerGroup;
    return Object.assign(group, { cluster, offsetManager });
  };

  it.each([
    ['before its beginning', ['11', '20']],
    ['beyond its end', ['0', '9']],
  ] as const)('%s ends the consumer, and is never replaced', async (_, range) => {
    const recovery = groupAt10(range).recoverFromOffsetOutOfRange({ topic: 't', partition: 3 });
    await expect(recovery).rejects.toMatchObject({ name: 'OffsetLost', retriable: false });
  });

  it.each([
    ['another leader has it', ['0', '10']],
    ['nobody leads', [null, null]],
  ] as const)('is fetched again when %s', async (_, range) => {
    const group = groupAt10(['0', '9'], range);
    await expect(
      group.recoverFromOffsetOutOfRange({ topic: 't', partition: 3 }),
    ).resolves.toBeUndefined();
  });
});

describe('F28: a request whose time has passed while the event loop stood still', () => {
  const sent = () => {
    const outcomes: string[] = [];
    const request = new SocketRequest({
      entry: {
        resolve: () => outcomes.push('answered'),
        reject: ({ name }: Error) => outcomes.push(name),
      },
      send() {},
      timeout() {},
    });
    request.send();
    return { request, outcomes };
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('is answered when the answer lay there unread', async () => {
    const { request, outcomes } = sent();
    request.timeoutRequest();
    request.completed({ size: 0, payload: null }); // read after the timers
    await turn();
    expect(outcomes).toEqual(['answered']);
  });

  it('has timed out when there was none', async () => {
    const { request, outcomes } = sent();
    request.timeoutRequest();
    await turn();
    expect(outcomes).toEqual(['KafkaJSRequestTimeoutError']);
  });
});

describe('client hazard 16: a fetch that failed', () => {
  /** A group and what was done about it. */
  const failing = (refresh: () => Promise<void> = async () => {}) => {
    const done: unknown[] = [];
    const group = Object.assign(Object.create(ConsumerGroup.prototype) as ConsumerGroup, {
      logger,
      cluster: {
        removeBroker: (address: object) => done.push(address),
        refreshMetadata: () => {
          done.push('asked who leads');
          return refresh();
        },
      },
      joinAndSync: async () => void done.push('joined'),
    });
    return { group, done };
  };
  const named = (name: string, fields = {}) => Object.assign(new Error(name), { name, ...fields });

  it.each(['KafkaJSRequestTimeoutError', 'KafkaJSConnectionClosedError'])(
    'by a %s costs the connections of that broker',
    async (name) => {
      const { group, done } = failing();
      await group.recoverFromFetch(named(name, { broker: 'b:1' }));
      expect(done).toEqual([{ host: 'b', port: 1 }]);
    },
  );

  it.each(['KafkaJSConnectionError', 'KafkaJSLockTimeout'])(
    'by a %s is tried again',
    async (name) => {
      const { group, done } = failing();
      await group.recoverFromFetch(named(name, { broker: 'b:1' }));
      expect(done).toEqual([]);
    },
  );

  const refused = (type: string) => named('KafkaJSProtocolError', { type });
  const moved = refused('NOT_LEADER_FOR_PARTITION');
  it.each([
    ['a leader has moved', moved],
    [
      'none leads',
      named('KafkaJSNumberOfRetriesExceeded', { cause: refused('LEADER_NOT_AVAILABLE') }),
    ],
  ])('because %s does not join anew', async (_, error) => {
    const { group, done } = failing();
    await group.recoverFromFetch(error);
    expect(done).toEqual(['asked who leads']);
  });

  it('is not asked about at a broker that does not answer again', async () => {
    const hung = named('KafkaJSRequestTimeoutError', { broker: 'b:1' });
    const { group, done } = failing(() => Promise.reject(hung));
    await group.recoverFromFetch(moved);
    expect(done).toEqual(['asked who leads', { host: 'b', port: 1 }]);
  });

  it('because the topic is gone ends the membership', async () => {
    const gone = refused('UNKNOWN_TOPIC_OR_PARTITION');
    const { group } = failing(() => Promise.reject(gone));
    await expect(group.recoverFromFetch(gone)).rejects.toBe(gone);
  });

  it('in another way is left to kafkajs', async () => {
    const { group } = failing();
    const error = named('KafkaJSNotImplemented');
    await expect(group.recoverFromFetch(error)).rejects.toBe(error);
  });
});

describe('client hazard 6: a batch that a rebalance overtook', () => {
  /** One member of one group. */
  function createMember(hooks: GroupHooks): StandIn {
    const { client, incarnations } = standInClient({ topic: 't', partitions: [0] });
    const protocol = () => ({ name: 'a', metadata: Buffer.alloc(0) });
    const assigner = { name: 'a', version: 0, protocol, assign: async () => [], hooks };
    client.consumer({ groupId: 'g', partitionAssigners: [() => assigner] });
    return incarnations[0]!;
  }

  it('is told from those of the membership in force, even in the same generation', async () => {
    const memberships: Membership[] = [];
    const { group, fetched } = createMember({
      beforeJoin: async () => {},
      joined: (membership) => void memberships.push(membership),
    });
    await group.joinAndSync();
    const before = await fetched([5]);
    expect(isFetchedBy(before, memberships[0]!)).toBe(true);
    const overtaken = await fetched([5], () => group.joinAndSync());
    const after = await fetched([5]);
    expect(memberships).toHaveLength(2);
    expect(isFetchedBy(overtaken, memberships[1]!)).toBe(false);
    expect(isFetchedBy(after, memberships[1]!)).toBe(true);
  });

  it('is told from those of another client that took the place of this one', async () => {
    const memberships: Membership[] = [];
    const hooks: GroupHooks = {
      beforeJoin: async () => {},
      joined: (membership) => void memberships.push(membership),
    };
    const [first, second] = [createMember(hooks), createMember(hooks)];
    await first.group.joinAndSync();
    const late = await first.fetched([5]);
    await second.group.joinAndSync();
    expect(isFetchedBy(late, memberships[1]!)).toBe(false);
  });

  it('joins once when several ask for it at the same time', async () => {
    let joins = 0;
    const { group } = createMember({ beforeJoin: async () => {}, joined: () => void joins++ });
    await Promise.all([group.joinAndSync(), group.joinAndSync(), group.joinAndSync()]);
    expect(joins).toBe(1);
  });
});
