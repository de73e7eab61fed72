import { setTimeout as sleep } from 'node:timers/promises';
import {
  closeBuses,
  connectBus,
  describeKafka,
  makeTopics,
  startKafka,
  type RunningKafka,
} from '../../../../test/kafka.js';
import { message, until } from '../../contract-bench.js';

const TIMEOUT_MS = 120_000;
const REQUEST_TIMEOUT_MS = 1_000;
/** Until connections are given up and made anew, which the frozen broker's kernel accepts. */
const FROZEN_MS = 12_000;
const TOPIC = 'frozen';
const topics = [TOPIC];

describeKafka('the only broker, frozen for a while', () => {
  let kafka: RunningKafka;
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 1 });
    await makeTopics(kafka.brokers, topics, 1);
  }, TIMEOUT_MS);
  afterEach(closeBuses, TIMEOUT_MS);
  afterAll(() => kafka?.stop(), TIMEOUT_MS);

  it(
    'client hazard 22: who connected to it meanwhile publishes and reads when it goes on',
    async () => {
      const { bus, fatal } = await connectBus(
        kafka.brokers,
        topics,
        1,
        { publish_timeout_ms: 3_000 },
        { request_timeout_ms: REQUEST_TIMEOUT_MS },
      );
      const got: string[] = [];
      await bus.consume({
        group: 'frozen',
        topics,
        max_batch: 10,
        handler: async (messages) => void got.push(...messages.map(({ value }) => String(value))),
      });
      await bus.publish(TOPIC, [message('k', 'before')]);
      await until(() => got.includes('before'));

      const pid = kafka.pid(1)!;
      process.kill(pid, 'SIGSTOP');
      try {
        await expect(bus.publish(TOPIC, [message('k', 'meanwhile')])).rejects.toBeInstanceOf(Error);
        await sleep(FROZEN_MS);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await until(async () => {
        const publishing = bus.publish(TOPIC, [message('k', 'after')]);
        return publishing.then(
          () => true,
          () => false,
        );
      });
      await until(() => got.includes('after'));
      expect(fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
