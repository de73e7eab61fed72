import type { Broker } from 'kafkajs';
import { MAX_MESSAGE_BYTES } from '../message-value.js';
import type { OutgoingMessage } from '../port.js';
import { partitionOf } from '../partitioner.js';
import type { Leaders } from './leaders.js';
import type { ProduceAnswer } from './produce-answer.js';
import { createPublisher, type PublisherSettings } from './publisher.js';

const PARTITIONS = 4;
type Request = Parameters<Broker['produce']>[0];

/** Partition p is led by node p % nodes. Each request is answered by the next script, or in full. */
function cluster(nodes = 1) {
  const requests: { node: number; request: Request }[] = [];
  const scripts: ((request: Request) => ProduceAnswer | Promise<ProduceAnswer>)[] = [];
  const recovered: unknown[] = [];
  const log = new Map<number, string[]>();
  const broker = (node: number) => ({
    async produce(request: Request) {
      requests.push({ node, request });
      const answer = await (scripts.shift() ?? inFull)(request);
      for (const { partition, messages } of parts(request)) {
        if (errorIn(answer, partition) !== 0) continue;
        log.set(partition, [
          ...(log.get(partition) ?? []),
          ...messages.map(({ value }) => String(value)),
        ]);
      }
      return answer;
    },
  });
  const leaders = {
    of: (_topic: string, partition: number) => partition % nodes,
    broker: async (node: number) => broker(node),
    recover: async (error: unknown) => void recovered.push(error),
  } as unknown as Leaders;
  return { leaders, requests, scripts, recovered, log };
}

const parts = (request: Request) => request.topicData.flatMap(({ partitions }) => partitions);

const inFull = (request: Request): ProduceAnswer => ({
  topics: request.topicData.map(({ topic, partitions }) => ({
    topicName: topic,
    partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0, baseOffset: '0' })),
  })),
});

const errorIn = (answer: ProduceAnswer, partition: number) =>
  answer.topics.flatMap((topic) => topic.partitions).find((one) => one.partition === partition)
    ?.errorCode;

const refusing = (partition: number, errorCode: number) => (request: Request) => {
  const answer = inFull(request);
  const change = (one: { partition: number; errorCode: number; baseOffset: string }) =>
    one.partition === partition ? { ...one, errorCode, baseOffset: '-1' } : one;
  return {
    topics: answer.topics.map((topic) => ({ ...topic, partitions: topic.partitions.map(change) })),
  };
};

const settings: PublisherSettings = {
  retry: { min_ms: 1, max_ms: 5 },
  give_up_after_ms: 5_000,
  max_waiting_bytes: 10_000_000,
  close_timeout_ms: 10_000,
};

const keyOf = (partition: number): string => {
  for (let n = 0; ; n++) if (partitionOf(`k${n}`, PARTITIONS) === partition) return `k${n}`;
};
const message = (partition: number, value: string): OutgoingMessage => ({
  key: keyOf(partition),
  value,
});

it('client hazard 1: no request spans leaders, whatever is published together', async () => {
  const { leaders, requests } = cluster(2);
  const publisher = createPublisher(leaders, settings);
  await publisher.publish(
    't',
    PARTITIONS,
    [0, 1, 2, 3].map((p) => message(p, `${p}`)),
  );
  const sent = requests.map(({ node, request }) => [node, parts(request).map((p) => p.partition)]);
  expect(sent).toEqual([
    [0, [0, 2]],
    [1, [1, 3]],
  ]);
});

it('client hazard 1: an answer without one of the partitions is no acknowledgement of it', async () => {
  const { leaders, requests, scripts, log } = cluster();
  scripts.push((request) => ({
    topics: inFull(request).topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.filter(({ partition }) => partition !== 1),
    })),
  }));
  const publisher = createPublisher(leaders, settings);
  let settled = false;
  const publishing = publisher
    .publish('t', PARTITIONS, [message(0, 'a'), message(1, 'b')])
    .then(() => (settled = true));
  while (requests.length < 2) {
    expect(settled).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await publishing;
  expect(log).toEqual(new Map([[0, ['a']], [1, ['b']]])); // prettier-ignore
  expect(parts(requests[1]!.request).map(({ partition }) => partition)).toEqual([1]);
});

it('client hazard 2: no request bears a producer id, whose sequence could be used again', async () => {
  const { leaders, requests, scripts } = cluster();
  scripts.push(() => Promise.reject(new Error('timed out, though it was written')));
  const publisher = createPublisher(leaders, settings);
  await publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  await publisher.publish('t', PARTITIONS, [message(0, 'b')]);
  expect(requests).toHaveLength(3);
  for (const { request } of requests) {
    expect(request.acks).toBe(-1);
    expect(Object.keys(request).toSorted()).toEqual(['acks', 'timeout', 'topicData']);
  }
});

it('sends again what failed, in order, before what was published later', async () => {
  const { leaders, scripts, recovered, log } = cluster();
  scripts.push(refusing(0, 6), () => Promise.reject(new Error('connection closed')));
  const publisher = createPublisher(leaders, settings);
  const first = publisher.publish('t', PARTITIONS, [message(0, '1'), message(0, '2')]);
  await new Promise((resolve) => setImmediate(resolve));
  const second = publisher.publish('t', PARTITIONS, [message(0, '3'), message(1, 'x')]);
  await Promise.all([first, second]);
  expect(log.get(0)).toEqual(['1', '2', '3']);
  expect(log.get(1)).toEqual(['x']);
  expect(recovered).toHaveLength(2);
});

it('what callers publish while a request is under way goes together in the next', async () => {
  const { leaders, requests, scripts } = cluster();
  let answer = () => {};
  scripts.push(async (request) => {
    await new Promise<void>((resolve) => (answer = resolve));
    return inFull(request);
  });
  const publisher = createPublisher(leaders, settings);
  const calls = [publisher.publish('t', PARTITIONS, [message(0, 'first')])];
  while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let n = 0; n < 100; n++) {
    calls.push(publisher.publish(n % 2 ? 't' : 'u', PARTITIONS, [message(n % 4, `${n}`)]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  answer();
  await Promise.all(calls);
  expect(requests).toHaveLength(2);
});

it('rejects one call for good and goes on with the others', async () => {
  const { leaders, scripts, log } = cluster();
  scripts.push(refusing(0, 10));
  const publisher = createPublisher(leaders, settings);
  const refused = publisher.publish('t', PARTITIONS, [message(0, 'too large'), message(1, 'a')]);
  await expect(refused).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  await publisher.publish('t', PARTITIONS, [message(0, 'b')]);
  expect(log.get(0)).toEqual(['b']);
});

it('tries again when nobody answered, even where kafkajs calls that not retriable', async () => {
  const { leaders, scripts, log } = cluster();
  const refused = Object.assign(new Error('ECONNREFUSED'), { retriable: false });
  scripts.push(() => Promise.reject(refused));
  const publisher = createPublisher(leaders, settings);
  await publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  expect(log.get(0)).toEqual(['a']);
});

it('does not wait for a login that was refused', async () => {
  const { leaders, scripts } = cluster();
  const refused = Object.assign(new Error('no'), { name: 'KafkaJSSASLAuthenticationError' });
  scripts.push(() => Promise.reject(refused));
  const publisher = createPublisher(leaders, settings);
  const publishing = publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  await expect(publishing).rejects.toBe(refused);
});

it('gives up after the stated time, with the last error', async () => {
  const { leaders, scripts, requests } = cluster();
  for (let n = 0; n < 1_000; n++) scripts.push(() => Promise.reject(new Error('nobody is there')));
  const publisher = createPublisher(leaders, { ...settings, give_up_after_ms: 50 });
  const publishing = publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  await expect(publishing).rejects.toThrow('nobody is there');
  expect(requests.length).toBeGreaterThan(1);
});

it('sends no batch that a broker would refuse as too large, and keeps the order', async () => {
  const { leaders, requests, log } = cluster();
  const publisher = createPublisher(leaders, settings);
  const big = Array.from({ length: 5 }, (_, n) => `${n}`.padEnd(400_000, '.'));
  await publisher.publish(
    't',
    PARTITIONS,
    big.map((value) => message(0, value)),
  );
  expect(log.get(0)).toEqual(big);
  expect(requests).toHaveLength(3);
  for (const { request } of requests) {
    const bytes = parts(request).flatMap(({ messages }) =>
      messages.map(({ value }) => String(value).length),
    );
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  }
});

it('refuses at once what would wait in too great a heap, and closes when all is sent', async () => {
  const { leaders, requests, scripts, log } = cluster();
  let answer = () => {};
  scripts.push(async (request) => {
    await new Promise<void>((resolve) => (answer = resolve));
    return inFull(request);
  });
  const publisher = createPublisher(leaders, { ...settings, max_waiting_bytes: 1_000 });
  const first = publisher.publish('t', PARTITIONS, [message(0, 'x'.repeat(800))]);
  const second = publisher.publish('t', PARTITIONS, [message(0, 'x'.repeat(800))]);
  await expect(second).rejects.toThrow('too many');
  const closing = publisher.close();
  await expect(publisher.publish('t', PARTITIONS, [message(0, 'late')])).rejects.toThrow('closed');
  while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  answer();
  await Promise.all([first, closing]);
  expect(log.get(0)).toHaveLength(1);
});

it('a close gives up what no broker takes, and rejects its calls', async () => {
  const { leaders, scripts, requests } = cluster();
  let answer = () => {};
  scripts.push(async (request) => {
    await new Promise<void>((resolve) => (answer = resolve));
    return refusing(0, 7)(request);
  });
  const publisher = createPublisher(leaders, { ...settings, close_timeout_ms: 20 });
  const calls = [publisher.publish('t', PARTITIONS, [message(0, 'under way')])];
  while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  calls.push(publisher.publish('t', PARTITIONS, [message(0, 'waits')]));
  const outcomes = Promise.allSettled(calls);
  await publisher.close();
  const given_up = { reason: new Error('closed before it was durable: given up after 20 ms') };
  expect(await outcomes).toMatchObject([given_up, given_up]);
  answer();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(requests).toHaveLength(1); // and never again
});
