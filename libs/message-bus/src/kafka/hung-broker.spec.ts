import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  closeBuses,
  connectBus,
  coordinatorOf,
  describeKafka,
  leaderOf,
  makeTopics,
  startKafka,
  withAdmin,
  type RunningKafka,
} from '../../../../test/kafka.js';
import { keyIn, message, until } from '../../contract-bench.js';

const PARTITIONS = 6;
const TIMEOUT_MS = 120_000;
// A coordinator answers a commit whose copies are not written after 5 s: then it has not hung itself.
const REQUEST_TIMEOUT_MS = 6_000;
const SESSION_TIMEOUT_MS = 8_000;
const TOPIC = 'hung';
const topics = [TOPIC];

let joins = 0;
const { joinAndSync } = ConsumerGroup.prototype;
ConsumerGroup.prototype.joinAndSync = function (this: ConsumerGroup) {
  joins += 1;
  return joinAndSync.call(this);
};

describeKafka('three brokers, of which one hangs', () => {
  let kafka: RunningKafka;
  let groups = 0;
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 3 });
    await makeTopics(kafka.brokers, topics, PARTITIONS, 3);
  }, TIMEOUT_MS);
  afterEach(closeBuses, TIMEOUT_MS);
  afterAll(() => kafka?.stop(), TIMEOUT_MS);

  /** A consumer, and a producer that writes to every partition again and again until it is stopped. */
  const consuming = async (request_timeout_ms = REQUEST_TIMEOUT_MS) => {
    const group = `hung-${groups++}`;
    const limits = { session_timeout_ms: SESSION_TIMEOUT_MS, publish_timeout_ms: TIMEOUT_MS };
    const connect = () =>
      connectBus(kafka.brokers, topics, PARTITIONS, limits, { request_timeout_ms });
    const [reader, writer] = [await connect(), await connect()];
    const got = Array.from({ length: PARTITIONS }, () => 0);
    const failures: string[] = [];
    const join = ({ bus }: typeof reader) =>
      bus.consume({
        group,
        topics,
        max_batch: 50,
        handler: async (messages) => {
          for (const { partition } of messages) got[partition]! += 1;
        },
        on_failure: (error) => failures.push((error as Error).message),
      });
    await join(reader);
    let stop = false;
    const produce = async (partition: number) => {
      const key = keyIn(partition, PARTITIONS);
      for (let n = 0; !stop; n++) {
        await writer.bus.publish(TOPIC, [message(key, `${n}`)]);
        await sleep(20);
      }
    };
    const partitions = got.map((_, partition) => partition);
    const producing = Promise.all(partitions.map(produce));
    return {
      group,
      reader,
      failures,
      /** Another member of the group. */
      joinAnother: async () => join(await connect()),
      /** Each of these partitions gets on. */
      async flow(some: readonly number[] = partitions) {
        const before = [...got];
        await until(() => some.every((one) => got[one]! > before[one]! + 5));
      },
      async end() {
        stop = true;
        await producing;
      },
    };
  };

  /** A broker that leads partitions and does not coordinate the group; who leads what. */
  const leaderAside = async (group: string) => {
    const coordinator = await coordinatorOf(kafka.brokers, group);
    const leaders = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, one) => leaderOf(kafka.brokers, TOPIC, one)),
    );
    const node = leaders.find((leader) => leader !== coordinator)!;
    const led = leaders.flatMap((leader, one) => (leader === node ? [one] : []));
    const others = leaders.flatMap((leader, one) => (leader === node ? [] : [one]));
    return { node, led, others };
  };

  /** Stops its process, without a word to the others, while the work is done. */
  const stopped = async (node: number, work: () => Promise<void>) => {
    const pid = kafka.pid(node)!;
    process.kill(pid, 'SIGSTOP');
    try {
      await work();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  };

  const allInSync = () =>
    withAdmin(kafka.brokers, async (admin) => {
      const found = await admin.fetchTopicMetadata({ topics: [...topics, '__consumer_offsets'] });
      const partitions_of_all = found.topics.flatMap(({ partitions }) => partitions);
      return partitions_of_all.every(({ isr }) => isr.length === 3);
    });

  beforeEach(() => until(allInSync), TIMEOUT_MS);

  it(
    'client hazard 16: a leader that answers this client nothing costs it only its own partitions',
    async () => {
      const { group, reader, failures, flow, end } = await consuming();
      await flow();
      const { node, led, others } = await leaderAside(group);
      const joined = joins;
      const letGo = reader.hang(kafka.brokers[node - 1]!);
      const unanswered = () => failures.filter((text) => text.endsWith('has not answered Fetch'));
      while (unanswered().length < 2) await flow(others);
      letGo();
      await flow(led);
      await flow();
      await end();
      expect(joins).toBe(joined);
      expect(reader.fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'client hazard 19: while a leader hangs, and is not given up, another member can join',
    async () => {
      const { group, reader, failures, flow, joinAnother, end } = await consuming(60_000);
      await flow();
      const { node, others } = await leaderAside(group);
      const letGo = reader.hang(kafka.brokers[node - 1]!);
      await sleep(2_000); // long enough to be seen
      const joined = joins;
      const since = performance.now();
      const other = await joinAnother();
      await until(() => other.assigned().length === PARTITIONS / 2);
      await flow(others);
      expect(performance.now() - since).toBeLessThan(6_000);
      await sleep(1.5 * SESSION_TIMEOUT_MS); // nobody is thrown out
      await flow(others);
      expect(joins).toBe(joined + 2); // each once
      expect(failures).toEqual([]);
      letGo();
      await flow();
      await end();
      expect(reader.fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'client hazard 16: a leader whose process stands still costs no membership; others lead for it',
    async () => {
      const { group, reader, flow, end } = await consuming();
      await flow();
      const { node, others } = await leaderAside(group);
      const joined = joins;
      await stopped(node, async () => {
        const longer = sleep(2.2 * REQUEST_TIMEOUT_MS);
        await flow(others);
        await flow();
        await longer;
        await flow();
      });
      await flow();
      await end();
      expect(joins).toBe(joined);
      expect(reader.fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'client hazard 14: a coordinator whose process stands still is left for the next one',
    async () => {
      const { group, reader, failures, flow, end } = await consuming();
      await flow();
      const joined = joins;
      await stopped(await coordinatorOf(kafka.brokers, group), () => flow());
      await end();
      expect(failures).toContainEqual(expect.stringMatching(/has not answered (Heart|Offset)/));
      expect(joins).toBeGreaterThan(joined);
      expect(reader.fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
