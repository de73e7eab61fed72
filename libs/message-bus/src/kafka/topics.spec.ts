import kafkajs from 'kafkajs';
import {
  closeBuses,
  connectBus,
  describeKafka,
  evictMembers,
  makeTopics,
  sharedKafka,
  testClient,
  withAdmin,
} from '../../../../test/kafka.js';
import { scanned, until } from '../../contract-bench.js';
import { createTopics, ledgerTopics, topicFaults, type TopicPlan } from './topics.js';

const TIMEOUT_MS = 30_000;

describeKafka('the topics', () => {
  let brokers: readonly string[];
  const run = `${Date.now().toString(36)}${process.pid}`;
  let names = 0;
  beforeAll(async () => {
    brokers = await sharedKafka();
  }, 60_000);
  afterEach(closeBuses, TIMEOUT_MS);

  const fresh = async (partitions: number) => {
    const topic = `topics-${run}-${names++}`;
    await makeTopics(brokers, [topic], partitions);
    return topic;
  };
  /** What is not named goes back to the broker's default. */
  const alter = (topic: string, settings: Readonly<Record<string, string>>) =>
    withAdmin(brokers, (admin) => {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries };
      return admin.alterConfigs({ validateOnly: false, resources: [resource] });
    });
  const addPartitions = (topic: string, count: number) =>
    withAdmin(brokers, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));

  it('plans every topic of the ledger with one number of partitions', () => {
    const plans = ledgerTopics(32);
    expect(plans.map(({ topic }) => topic).toSorted()).toEqual([
      'ledger.dead-letters',
      'ledger.decisions',
      'ledger.requests',
      'ledger.usage',
    ]);
    expect(new Set(plans.map(({ partitions }) => partitions))).toEqual(new Set([32]));
  });

  it(
    'makes what is missing, leaves what is there, and then finds no fault',
    async () => {
      const plan = (): TopicPlan => ({
        topic: `topics-${run}-${names++}`,
        partitions: 16,
        retention_ms: 60_000,
      });
      const [first, second] = [plan(), plan()];
      await withAdmin(brokers, async (admin) => {
        expect(await createTopics(admin, [first], 1)).toEqual([first.topic]);
        expect(await createTopics(admin, [first, second], 1)).toEqual([second.topic]);
        expect(await createTopics(admin, [first, second], 1)).toEqual([]);
        expect(await topicFaults(admin, [first, second])).toEqual([]);
      });
    },
    TIMEOUT_MS,
  );

  it(
    'names everything in which a topic differs from its plan',
    async () => {
      const topic = await fresh(4);
      await alter(topic, { 'message.timestamp.type': 'CreateTime' });
      const plans = [
        { topic, partitions: 8, retention_ms: 3_600_000 },
        { topic: 'not-there', partitions: 8, retention_ms: 1 },
      ];
      const faults = await withAdmin(brokers, (admin) => topicFaults(admin, plans));
      expect(faults).toEqual(
        expect.arrayContaining([
          `${topic} has message.timestamp.type=CreateTime, not LogAppendTime`,
          `${topic} has 4 partitions, not 8`,
          'there is no topic not-there, or this user may not describe it',
        ]),
      );
    },
    TIMEOUT_MS,
  );

  describe('F18: a start is refused on a topic', () => {
    it('with another number of partitions', async () => {
      const topic = await fresh(4);
      await expect(connectBus(brokers, [topic], 8)).rejects.toMatchObject({
        name: 'TopicUnfit',
        message: `${topic} has 4 partitions, not 8`,
      });
    });

    it.each([
      ['message.timestamp.type', 'CreateTime'],
      ['cleanup.policy', 'compact'],
      ['compression.type', 'zstd'],
      ['unclean.leader.election.enable', 'true'],
    ])('with %s=%s', async (name, value) => {
      const topic = await fresh(1);
      await alter(topic, { ...essential, [name]: value });
      await expect(connectBus(brokers, [topic], 1)).rejects.toThrow(
        `${topic} has ${name}=${value}`,
      );
    });
  });

  it(
    'F18: a member ends when partitions were added under way',
    async () => {
      const topic = await fresh(2);
      const { bus, client_id, fatal } = await connectBus(brokers, [topic], 2);
      const options = { group: `group-${topic}`, topics: [topic], max_batch: 10 };
      const consumer = await bus.consume({ ...options, handler: async () => {} });
      await until(() => consumer.assigned().length === 2);
      await addPartitions(topic, 4);
      await evictMembers(brokers, client_id); // any rebalance; without one, the age of the metadata
      await until(() => fatal.length > 0);
      expect(fatal).toEqual([expect.objectContaining({ name: 'TopicUnfit' })]);
      expect(consumer.assigned()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'client hazard 11: a record that bears its producer’s time ends the consumer, undecided',
    async () => {
      const topic = await fresh(1);
      const { bus, fatal } = await connectBus(brokers, [topic], 1);
      const got: unknown[] = [];
      const options = { group: `group-${topic}`, topics: [topic], max_batch: 10 };
      await bus.consume({ ...options, handler: async (messages) => void got.push(...messages) });
      await bus.publish(topic, [{ key: 'k', value: 'a' }]);
      await until(() => got.length === 1);
      await alter(topic, { 'message.timestamp.type': 'CreateTime' });
      await until(async () => {
        if (fatal.length === 0) await bus.publish(topic, [{ key: 'k', value: 'b' }]);
        return fatal.length > 0;
      });
      expect(fatal).toEqual([expect.objectContaining({ name: 'TopicUnfit' })]);
    },
    TIMEOUT_MS,
  );

  it('stores what another producer has packed so that every client can read it', async () => {
    const topic = await fresh(1);
    const { bus } = await connectBus(brokers, [topic], 1);
    const producer = testClient(brokers).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    await producer.send({
      topic,
      compression: kafkajs.CompressionTypes.GZIP,
      messages: [{ key: 'k', value: 'packed', timestamp: '0' }],
    });
    await producer.disconnect();
    const [found] = await scanned(bus, topic);
    expect(found).toMatchObject({ key: 'k', value: 'packed' });
    expect(Date.parse(found!.timestamp)).toBeGreaterThan(Date.now() - 60_000);
  });
});

const essential = {
  'message.timestamp.type': 'LogAppendTime',
  'cleanup.policy': 'delete',
  'compression.type': 'uncompressed',
  'unclean.leader.election.enable': 'false',
};
