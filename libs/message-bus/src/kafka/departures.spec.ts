import {
  closeBuses,
  connectBus,
  describeKafka,
  makeTopics,
  membersOf,
  sharedKafka,
} from '../../../../test/kafka.js';
import { message, until } from '../../contract-bench.js';
import type { ReceivedMessage } from '../port.js';

const TIMEOUT_MS = 30_000;

describeKafka('a member that goes without a word', () => {
  let brokers: readonly string[];
  let names = 0;
  const run = `${Date.now().toString(36)}${process.pid}`;
  const fresh = async () => {
    const topic = `departure-${run}-${names++}`;
    await makeTopics(brokers, [topic], 1);
    return { topic, options: { group: `group-${topic}`, topics: [topic], max_batch: 10 } };
  };
  beforeAll(async () => {
    brokers = await sharedKafka();
  }, 60_000);
  afterEach(closeBuses, TIMEOUT_MS);

  it(
    'client hazard 14: comes back on fresh connections when its own have become black holes',
    async () => {
      const { topic, options } = await fresh();
      const { bus, fatal, holdAnswers } = await connectBus(brokers, [topic], 1);
      const witness = await connectBus(brokers, [topic], 1);
      const got: ReceivedMessage[] = [];
      const failures: string[] = [];
      const consumer = await bus.consume({
        ...options,
        handler: async (messages) => void got.push(...messages),
        on_failure: (error) => failures.push((error as Error).message),
      });
      await until(() => consumer.assigned().length === 1);
      const letGo = holdAnswers();
      await witness.bus.publish(topic, [message('k', 'meanwhile')]);
      await until(() => got.length > 0);
      expect(failures[0]).toBe('no broker has answered for 2000 ms');
      expect(consumer.assigned()).toEqual([0]);
      expect(fatal).toEqual([]);
      letGo();
    },
    TIMEOUT_MS,
  );

  it(
    'client hazard 15: leaves no ghost behind when it closes while it joins',
    async () => {
      const { topic, options } = await fresh();
      const first = await connectBus(brokers, [topic], 1, { hand_over_ms: 10_000 });
      let finish = () => {};
      const batches: unknown[] = [];
      const handler = async (messages: unknown) => {
        batches.push(messages);
        await new Promise<void>((resolve) => (finish = resolve));
      };
      const consumer = await first.bus.consume({ ...options, handler });
      await first.bus.publish(topic, [message('k', 'v')]);
      await until(() => batches.length === 1);

      // A ghost of the second would hold the partition until its session ends: longer than this test.
      const second = await connectBus(brokers, [topic], 1, {
        session_timeout_ms: 2 * TIMEOUT_MS,
        close_timeout_ms: TIMEOUT_MS,
      });
      await second.bus.consume({ ...options, handler: async () => {} });
      await until(async () => (await membersOf(brokers, options.group)) === undefined);
      const closing = second.bus.close();
      finish(); // only now the first joins again, and the join of the second is answered
      await closing;
      let members: number | undefined;
      await until(async () => (members = await membersOf(brokers, options.group)) !== undefined);
      expect(members).toBe(1);
      await until(() => consumer.assigned().length === 1);
    },
    TIMEOUT_MS,
  );
});
