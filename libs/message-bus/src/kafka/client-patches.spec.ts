import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { jest } from '@jest/globals';
import kafkajs, { type Batch } from 'kafkajs';
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

it('client hazard 5, F17: an offset out of range ends the consumer, and is never replaced', async () => {
  const group = Object.create(ConsumerGroup.prototype) as ConsumerGroup;
  const recovery = group.recoverFromOffsetOutOfRange({ topic: 'ledger.usage', partition: 3 });
  await expect(recovery).rejects.toMatchObject({ name: 'OffsetLost', retriable: false });
});

describe('client hazard 6: a batch that a rebalance overtook', () => {
  const logger_of_kafkajs = { namespace: () => logger };
  const message = { offset: '5', isControlRecord: false };
  const partition = { partition: 0, highWatermark: '9', abortedTransactions: [], errorCode: 0 };

  /** One member of one group, whose broker answers a fetch when it is told to. */
  function createGroup(hooks: GroupHooks) {
    const answers: (() => void)[] = [];
    const assignment = kafkajs.AssignerProtocol.MemberAssignment.encode({
      version: 0,
      assignment: { t: [0] },
      userData: Buffer.alloc(0),
    });
    const broker = {
      isConnected: () => true,
      // The member is not the leader and joins in the same generation again.
      joinGroup: async () => ({ generationId: 1, memberId: 'm', leaderId: 'other', members: [] }),
      syncGroup: async () => ({ memberAssignment: assignment }),
      offsetFetch: async () => ({
        responses: [{ topic: 't', partitions: [{ partition: 0, offset: '5' }] }],
      }),
      fetch: () =>
        new Promise((resolve) => {
          const partitions = [{ ...partition, messages: [message] }];
          answers.push(() => resolve({ responses: [{ topicName: 't', partitions }] }));
        }),
    };
    const group = new ConsumerGroup({
      groupId: 'g',
      topics: ['t'],
      topicConfigurations: { t: { fromBeginning: true } },
      logger: logger_of_kafkajs,
      instrumentationEmitter: { emit() {} },
      assigners: [{ name: 'a', protocol: () => ({}), hooks }],
      retry: { retries: 0 },
      cluster: {
        findGroupCoordinator: async () => broker,
        findBroker: async () => broker,
        refreshMetadataIfNecessary: async () => {},
        committedOffsets: () => ({}),
        findTopicPartitionMetadata: () => [{ partitionId: 0, leader: 1 }],
      },
    });
    return { group, answers };
  }

  it('is told from those of the membership in force, even in the same generation', async () => {
    const memberships: Membership[] = [];
    const { group, answers } = createGroup({
      beforeJoin: async () => {},
      joined: (membership) => void memberships.push(membership),
    });
    const fetched = async (meanwhile: () => Promise<void>): Promise<Batch> => {
      const fetching = group.fetch('1');
      while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await meanwhile();
      answers.shift()!();
      return (await fetching)[0]!;
    };

    await group.joinAndSync();
    const before = await fetched(async () => {});
    expect(isFetchedBy(before, memberships[0]!)).toBe(true);
    const overtaken = await fetched(() => group.joinAndSync());
    const after = await fetched(async () => {});
    expect(memberships).toHaveLength(2);
    expect(isFetchedBy(overtaken, memberships[1]!)).toBe(false);
    expect(isFetchedBy(after, memberships[1]!)).toBe(true);
  });

  it('joins once when several ask for it at the same time', async () => {
    let joins = 0;
    const { group } = createGroup({ beforeJoin: async () => {}, joined: () => void joins++ });
    await Promise.all([group.joinAndSync(), group.joinAndSync(), group.joinAndSync()]);
    expect(joins).toBe(1);
  });
});
