import kafkajs from 'kafkajs';
import {
  closeBuses,
  connectBus,
  describeKafka,
  makeTopics,
  sharedKafka,
  testClient,
  withAdmin,
} from '../../../../test/kafka.js';
import { keyIn, message, numbered, scanned, until } from '../../contract-bench.js';
import { OwnershipLost, type ConsumeOptions, type ReceivedMessage } from '../port.js';

const PARTITIONS = 4;
const TIMEOUT_MS = 30_000;

/** What kafkajs would do wrong, tried on a real broker. */
describeKafka('the hazards of kafkajs, on a broker', () => {
  let brokers: readonly string[];
  let names = 0;
  const run = `${Date.now().toString(36)}${process.pid}`;

  beforeAll(async () => {
    brokers = await sharedKafka();
  }, 60_000);
  afterEach(closeBuses, TIMEOUT_MS);

  const connect = (topic: string, partitions = PARTITIONS) =>
    connectBus(brokers, [topic], partitions);
  const fresh = async (partitions = PARTITIONS) => {
    const topic = `hazard-${run}-${names++}`;
    await makeTopics(brokers, [topic], partitions);
    return { topic, ...(await connect(topic, partitions)) };
  };
  const collecting = (topic: string, group: string, got: ReceivedMessage[]): ConsumeOptions => ({
    group,
    topics: [topic],
    max_batch: 10,
    handler: async (messages) => void got.push(...messages),
  });
  /** The group's next offset of partition 0. */
  const commit = (topic: string, group: string, offset: number) =>
    withAdmin(brokers, (admin) =>
      admin.setOffsets({
        groupId: group,
        topic,
        partitions: [{ partition: 0, offset: String(offset) }],
      }),
    );

  it(
    'client hazard 2: a message whose acknowledgement was lost does not swallow the next one',
    async () => {
      const { topic, bus, holdAnswers } = await fresh(1);
      const witness = await connect(topic, 1);
      await bus.publish(topic, [message('k', 'first')]);
      const letGo = holdAnswers();
      const publishing = bus.publish(topic, [message('k', 'second')]);
      await until(async () => (await scanned(witness.bus, topic)).length === 2);
      letGo(); // the connection breaks: the broker wrote it, and its answer is gone
      await publishing;
      await bus.publish(topic, [message('k', 'third')]);
      const values = (await scanned(witness.bus, topic)).map(({ value }) => value);
      expect(values).toEqual(['first', 'second', 'second', 'third']);
    },
    TIMEOUT_MS,
  );

  it.each([TypeError, SyntaxError, RangeError, ReferenceError])(
    'client hazard 3: %p in a handler stops nothing',
    async (Kind) => {
      const { topic, bus, fatal } = await fresh(1);
      const seen: string[] = [];
      const failures: unknown[] = [];
      await bus.consume({
        ...collecting(topic, `group-${topic}`, []),
        on_failure: (error) => failures.push(error),
        handler: async (messages) => {
          seen.push(...messages.map(({ value }) => String(value)));
          if (failures.length < 2) throw new Kind('a bug');
        },
      });
      await bus.publish(topic, [message('k', 'a')]);
      await until(() => seen.length === 3);
      await bus.publish(topic, [message('k', 'b')]);
      await until(() => seen.at(-1) === 'b');
      expect(failures).toEqual([expect.any(Kind), expect.any(Kind)]);
      expect(fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );

  describe('client hazard 5, F17: an offset that the log does not hold', () => {
    it('refuses to start where retention took what was to be read next', async () => {
      const { topic, bus } = await fresh(1);
      await bus.publish(topic, numbered('k', 20));
      await commit(topic, 'g5-begin', 3);
      await withAdmin(brokers, async (admin) => {
        await admin.fetchTopicOffsets(topic); // deleteTopicRecords knows no leader before
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] });
      });
      const consuming = bus.consume(collecting(topic, 'g5-begin', []));
      await expect(consuming).rejects.toMatchObject({ name: 'OffsetLost' });
      await expect(consuming).rejects.toThrow(`${topic}/0 holds 10 to 20 and g5-begin stands at 3`);
    });

    it('refuses to start beyond the end of a log that lost its tail', async () => {
      const { topic, bus } = await fresh(1);
      await bus.publish(topic, numbered('k', 5));
      await commit(topic, 'g5-end', 9);
      const consuming = bus.consume(collecting(topic, 'g5-end', []));
      await expect(consuming).rejects.toThrow('holds 0 to 5 and g5-end stands at 9');
    });

    it(
      'stops and says so when it happens under way; it goes on neither at the end nor the beginning',
      async () => {
        const { topic, bus, fatal } = await fresh(1);
        const got: ReceivedMessage[] = [];
        const consumer = await bus.consume(collecting(topic, 'g5-lost', got));
        await bus.publish(topic, numbered('k', 20));
        await until(() => got.length === 20);
        await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
        await makeTopics(brokers, [topic], 1);
        await until(() => fatal.length > 0);
        expect(fatal).toEqual([expect.objectContaining({ name: 'OffsetLost' })]);
        expect(consumer.assigned()).toEqual([]);
        expect(got).toHaveLength(20);
      },
      TIMEOUT_MS,
    );

    it('a group that never committed begins at the beginning', async () => {
      const { topic, bus } = await fresh(1);
      await bus.publish(topic, numbered('k', 5));
      const got: ReceivedMessage[] = [];
      await bus.consume(collecting(topic, 'g5-new', got));
      await until(() => got.length === 5);
      expect(got[0]!.offset).toBe(0);
    });
  });

  it(
    'client hazard 6, F28: a member that slept through its eviction learns it from its heartbeat',
    async () => {
      const { topic, bus } = await fresh(1);
      await bus.publish(topic, [message('k', 'v')]);
      const outcomes: unknown[] = [];
      await bus.consume({
        ...collecting(topic, 'g6', []),
        handler: async (_messages, control) => {
          if (outcomes.length > 0) return void outcomes.push('delivered again');
          await control.heartbeat();
          const until_ms = performance.now() + 3_000; // the session ends after 2 s
          while (performance.now() < until_ms);
          await control.heartbeat().catch((error: unknown) => {
            outcomes.push(error);
            throw error;
          });
        },
      });
      await until(() => outcomes.length === 2);
      expect(outcomes).toEqual([expect.any(OwnershipLost), 'delivered again']);
    },
    TIMEOUT_MS,
  );

  it.each(['commit', 'abort'] as const)(
    'client hazard 13: the marker of a transaction (%s) leaves no lag behind',
    async (end) => {
      const { topic, bus } = await fresh(1);
      const got: ReceivedMessage[] = [];
      const group = `group-${topic}`;
      await bus.consume(collecting(topic, group, got));
      const producer = testClient(brokers).producer({
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        transactionalId: `producer-${topic}`,
        maxInFlightRequests: 1,
        idempotent: true,
      });
      await producer.connect();
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: 'k', value: 'in a transaction' }] });
      await transaction[end]();
      await producer.disconnect();
      // A message and a marker.
      await until(async () => (await bus.positions(group, [topic]))[0]!.committed === 2);
      expect(await bus.positions(group, [topic])).toMatchObject([{ end: 2 }]);
      expect(got).toHaveLength(end === 'commit' ? 1 : 0);
    },
    TIMEOUT_MS,
  );

  it('client hazard 8: never makes a topic by asking for it', async () => {
    const { topic, bus } = await fresh(1);
    const unheard = `${topic}-unheard`;
    await expect(connectBus(brokers, [topic, unheard], 1)).rejects.toThrow(
      `there is no topic ${unheard}, or this user may not describe it`,
    );
    await expect(bus.publish(unheard, [message('k', 'v')])).rejects.toThrow('no such topic');
    expect(await withAdmin(brokers, (admin) => admin.listTopics())).not.toContain(unheard);
  });

  it('client hazard 12: puts keys where the default partitioner of Java and kafkajs does', async () => {
    const { topic, bus } = await fresh(16);
    const keys = ['acct-1', 'acct-2', '42', '顧客-1', keyIn(3, 16), 'tenant/account'];
    await bus.publish(
      topic,
      keys.map((key) => message(key, 'ours')),
    );
    const producer = testClient(brokers).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    await producer.connect();
    await producer.send({ topic, messages: keys.map((key) => ({ key, value: 'theirs' })) });
    await producer.disconnect();
    const found = await scanned(bus, topic);
    const homes = (value: string) =>
      found
        .filter((one) => one.value === value)
        .map(({ key, partition }) => `${key}: ${partition}`);
    expect(homes('ours').toSorted()).toEqual(homes('theirs').toSorted());
    expect(homes('ours')).toEqual(
      expect.arrayContaining([
        `acct-1: ${294059390 % 16}`,
        `acct-2: ${2084802707 % 16}`,
        `42: ${417700972 % 16}`,
        `顧客-1: ${2095018210 % 16}`,
      ]),
    );
  });
});
