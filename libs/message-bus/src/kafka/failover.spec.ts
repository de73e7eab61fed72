import { setTimeout as sleep } from 'node:timers/promises';
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
import { coordinate, keyIn, message, scanned, until } from '../../contract-bench.js';
import type { ReceivedMessage } from '../port.js';

const PARTITIONS = 6;
const TIMEOUT_MS = 180_000;
const TOPIC = 'failover';
const topics = [TOPIC];
const group = 'failover';

/** Numbers of the messages that were acknowledged, per key. */
type Acknowledged = ReadonlyMap<string, number[]>;

/** Whose number no message bears. */
function missing(acknowledged: Acknowledged, messages: readonly ReceivedMessage[]): string[] {
  const found = new Set(messages.map(({ key, value }) => `${key}: ${String(value)}`));
  const wanted = [...acknowledged].flatMap(([key, list]) => list.map((n) => `${key}: ${n}`));
  return wanted.filter((name) => !found.has(name));
}

/** Where a key's number comes for the first time after a greater one. */
function disorder(messages: readonly ReceivedMessage[]): string[] {
  const faults: string[] = [];
  const seen = new Map<string, Set<number>>();
  for (const received of messages.toSorted((a, b) => a.offset - b.offset)) {
    const of_key = seen.get(received.key!) ?? new Set();
    seen.set(received.key!, of_key);
    const n = Number(received.value);
    if (!of_key.has(n) && n > 0 && !of_key.has(n - 1)) faults.push(`${coordinate(received)}: ${n}`);
    of_key.add(n);
  }
  return faults;
}

describeKafka('three brokers, of which one at a time is killed', () => {
  let kafka: RunningKafka;
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 3 });
    await makeTopics(kafka.brokers, topics, PARTITIONS, 3);
  }, TIMEOUT_MS);
  afterEach(closeBuses, TIMEOUT_MS);
  afterAll(() => kafka?.stop(), TIMEOUT_MS);

  it(
    'F12, F16, client hazard 1: everything acknowledged is read, in order per key',
    async () => {
      const connect = () => connectBus(kafka.brokers, topics, PARTITIONS);
      const [producer, ...readers] = [await connect(), await connect(), await connect()] as const;
      const got = new Map<string, ReceivedMessage>();
      const handler = async (messages: readonly ReceivedMessage[]) => {
        await sleep(1);
        for (const received of messages) got.set(coordinate(received), received);
      };
      for (const { bus } of readers) await bus.consume({ group, topics, max_batch: 50, handler });

      const acknowledged = new Map<string, number[]>();
      let stop = false;
      const produce = async (key: string) => {
        const list: number[] = [];
        acknowledged.set(key, list);
        for (let n = 0; !stop; n += 2) {
          await producer.bus.publish(TOPIC, [message(key, `${n}`), message(key, `${n + 1}`)]);
          list.push(n, n + 1);
        }
      };
      const producing = Promise.all(
        Array.from({ length: PARTITIONS }, (_, one) => produce(keyIn(one, PARTITIONS))),
      );
      /** Every key gets on, so every partition has a leader again, and the readers read on. */
      const progress = async () => {
        const before = new Map([...acknowledged].map(([key, list]) => [key, list.length]));
        const read = got.size;
        const moves = ([key, list]: [string, number[]]) => list.length > before.get(key)! + 50;
        await until(() => [...acknowledged].every(moves));
        await until(() => got.size > read + 100);
      };

      await progress();
      const first = await leaderOf(kafka.brokers, TOPIC, 0);
      await kafka.kill(first);
      await progress();
      await kafka.start(first);
      await progress();
      await kafka.kill(await coordinatorOf(kafka.brokers, group));
      await progress();
      stop = true;
      await producing;

      await until(() => missing(acknowledged, [...got.values()]).length === 0);
      const in_log = await scanned(producer.bus, TOPIC);
      expect(missing(acknowledged, in_log)).toEqual([]);
      expect(disorder(in_log)).toEqual([]);
      expect(disorder([...got.values()])).toEqual([]);
      for (const { fatal } of [producer, ...readers]) expect(fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describeKafka('one broker, killed and started again', () => {
  let kafka: RunningKafka;
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 1 });
    await makeTopics(kafka.brokers, topics, PARTITIONS);
  }, TIMEOUT_MS);
  afterEach(closeBuses, TIMEOUT_MS);
  afterAll(() => kafka?.stop(), TIMEOUT_MS);

  it(
    'F16: what is published meanwhile waits for it; consumer and tail go on',
    async () => {
      const { bus, fatal } = await connectBus(kafka.brokers, topics, PARTITIONS, {
        publish_timeout_ms: TIMEOUT_MS,
      });
      const got: unknown[] = [];
      const heard: unknown[] = [];
      const handler = async (messages: readonly ReceivedMessage[]) => {
        got.push(...messages.map(({ value }) => value));
      };
      await bus.consume({ group, topics, max_batch: 50, handler });
      await bus.tail(TOPIC, (messages) => heard.push(...messages.map(({ value }) => value)));
      await bus.publish(TOPIC, [message('k', 'before')]);
      await until(() => got.length === 1 && heard.length === 1);
      await kafka.kill(1);
      const publishing = bus.publish(TOPIC, [message('k', 'meanwhile')]);
      await sleep(1_000);
      await kafka.start(1);
      await publishing;
      await bus.publish(TOPIC, [message('k', 'after')]);
      const all = new Set(['before', 'meanwhile', 'after']);
      await until(() => [got, heard].every((list) => new Set(list).size === all.size));
      expect(new Set(got)).toEqual(all);
      expect(new Set(heard)).toEqual(all);
      expect(fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

it('the check of the order can fail', () => {
  const received = (offset: number, value: string) =>
    ({ topic: 't', partition: 0, offset, key: 'k', value }) as ReceivedMessage;
  expect(disorder([received(0, '0'), received(1, '1'), received(2, '0')])).toEqual([]);
  expect(disorder([received(0, '0'), received(1, '2'), received(2, '1')])).toEqual(['t/0/1: 2']);
  expect(missing(new Map([['k', [0, 1]]]), [received(0, '0')])).toEqual(['k: 1']);
});
