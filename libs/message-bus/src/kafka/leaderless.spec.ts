import { setTimeout as sleep } from 'node:timers/promises';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import Cluster from 'kafkajs/src/cluster/index.js';
import response, {
  type MetadataAnswer,
} from 'kafkajs/src/protocol/requests/metadata/v6/response.js';
import {
  closeBuses,
  connectBus,
  coordinatorOf,
  describeKafka,
  leaderOf,
  makeTopics,
  startKafka,
  type RunningKafka,
} from '../../../../test/kafka.js';
import { keyIn, message, until } from '../../contract-bench.js';
import { leaderless } from './leaderless.js';

const TIMEOUT_MS = 120_000;
const PARTITIONS = 6;
const TOPIC = 'leaderless';
const topics = [TOPIC];

describe('client hazard 18: an answer about leaders', () => {
  const answer = (...errors: readonly number[]): MetadataAnswer => ({
    topicMetadata: [
      {
        topicErrorCode: 0,
        topic: 't',
        partitionMetadata: errors.map((partitionErrorCode, partitionId) => ({
          partitionErrorCode,
          partitionId,
          leader: partitionErrorCode === 0 ? 1 : -1,
        })),
      },
    ],
  });

  it.each([5, 72])('is kept whole when a partition has none (%i)', async (code) => {
    expect(await response.parse(answer(0, code))).toEqual(answer(0, code));
  });

  it('is thrown away for another error', async () => {
    const thrown = response.parse(answer(5, 3));
    await expect(thrown).rejects.toMatchObject({ type: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });
});

describe('client hazard 18: a cluster of which one partition has no leader', () => {
  const asked: unknown[] = [];
  const broker = {
    async listOffsets(request: {
      topics: { topic: string; partitions: { partition: number }[] }[];
    }) {
      asked.push(request);
      const responses = request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, offset: '7' })),
      }));
      return { responses };
    },
  };
  const clusterWith = (...leaders: readonly number[]) =>
    Object.assign(Object.create(Cluster.prototype) as Cluster, {
      findTopicPartitionMetadata: () =>
        leaders.map((leader, partitionId) => ({ partitionId, leader })),
      findBroker: async () => broker,
    });
  const partitions = [{ partition: 0 }, { partition: 1 }];

  it('knows the offsets of the others', async () => {
    const cluster = clusterWith(1, -1);
    expect(leaderless(cluster as never, [{ topic: 't', partitions: [0, 1] }])).toEqual(['t/1']);
    const found = await cluster.fetchTopicsOffset([
      { topic: 't', partitions, fromBeginning: true },
    ]);
    const offsets = [
      { partition: 0, offset: '7' },
      { partition: 1, offset: null },
    ];
    expect(found).toEqual([{ topic: 't', partitions: offsets }]);
  });

  it('is asked nothing when no partition has one', async () => {
    asked.length = 0;
    const cluster = clusterWith(-1, -1);
    const found = await cluster.fetchTopicsOffset([
      { topic: 't', partitions, fromBeginning: true },
    ]);
    expect(found[0]!.partitions.map(({ offset }) => offset)).toEqual([null, null]);
    expect(asked).toEqual([]);
  });
});

/** As if METADATA_MAX_AGE_MS had passed for every client. */
const pools = new Set<{ metadataExpireAt: number | null }>();
const { refreshMetadata } = BrokerPool.prototype;
BrokerPool.prototype.refreshMetadata = function (this: BrokerPool, asked) {
  pools.add(this);
  return refreshMetadata.call(this, asked);
};
const forgetLeaders = () => {
  for (const pool of pools) pool.metadataExpireAt = null;
};

describeKafka('three brokers, one copy of each partition', () => {
  let kafka: RunningKafka;
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 3 });
    await makeTopics(kafka.brokers, topics, PARTITIONS, 1);
  }, TIMEOUT_MS);
  afterEach(closeBuses, TIMEOUT_MS);
  afterAll(() => kafka?.stop(), TIMEOUT_MS);

  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);

  /** A process that publishes to each partition, reads all of them in a group, and follows them. */
  const connect = async (group: string) => {
    const { bus, fatal } = await connectBus(kafka.brokers, topics, PARTITIONS, {
      publish_timeout_ms: TIMEOUT_MS,
    });
    const read = partitions.map(() => 0);
    const heard = partitions.map(() => 0);
    const failures: string[] = [];
    await bus.consume({
      group,
      topics,
      max_batch: 50,
      handler: async (messages) => {
        for (const { partition } of messages) read[partition]! += 1;
      },
      on_failure: (error) => failures.push((error as Error).message),
    });
    await bus.tail(TOPIC, (messages) => {
      for (const { partition } of messages) heard[partition]! += 1;
    });
    return {
      bus,
      fatal,
      failures,
      /** Each of these partitions gets on: what is published is read and heard. */
      async flow(some: readonly number[] = partitions) {
        const before = [[...read], [...heard]] as const;
        const publish = () =>
          Promise.all(
            some.map((one) => bus.publish(TOPIC, [message(keyIn(one, PARTITIONS), 'v')])),
          );
        const more = (one: number) => read[one]! > before[0][one]! && heard[one]! > before[1][one]!;
        await publish();
        // Again and again: a tail that began without a leader may begin behind the first.
        while (!some.every(more)) {
          await sleep(100);
          await publish();
        }
      },
    };
  };

  it(
    'client hazard 18: while one partition has no leader the others are written and read',
    async () => {
      const old = await connect('old');
      await old.flow();
      const coordinator = await coordinatorOf(kafka.brokers, 'old');
      const leaders = await Promise.all(
        partitions.map((one) => leaderOf(kafka.brokers, TOPIC, one)),
      );
      const node = leaders.find((leader) => leader !== coordinator)!;
      const others = partitions.filter((one) => leaders[one] !== node);
      const orphans = partitions.filter((one) => leaders[one] === node);
      await kafka.kill(node);
      await until(() => old.failures.some((text) => text.startsWith('nobody leads')));
      const since = performance.now();
      for (let time = 0; time < 5; time += 1) {
        forgetLeaders();
        await old.flow(others);
      }

      const fresh = await connect('fresh');
      await fresh.flow(others);
      const positions = await fresh.bus.positions('old', topics);
      for (const { partition, begin, end, committed } of positions) {
        expect(Number.isNaN(end - begin)).toBe(orphans.includes(partition));
        expect(committed).not.toBeNull();
      }
      await until(() => fresh.failures.some((text) => text.startsWith('nobody leads')));
      const told = old.failures.filter((text) => text.startsWith('nobody leads'));
      expect(told.length).toBeLessThanOrEqual(1 + (performance.now() - since) / 10_000);
      expect(told[0]).toContain(`${TOPIC}/${orphans[0]}`);

      await kafka.start(node);
      await Promise.all([old.flow(), fresh.flow()]);
      expect([...old.fatal, ...fresh.fatal]).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
