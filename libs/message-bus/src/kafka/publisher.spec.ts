import {
  inFull,
  message,
  PARTITIONS,
  parts,
  refusing,
  settings,
  standInLeaders,
} from '../../publisher-stand-in.js';
import { MAX_MESSAGE_BYTES } from '../message-value.js';
import { createPublisher } from './publisher.js';

it('client hazard 1: no request spans leaders, whatever is published together', async () => {
  const { leaders, requests } = standInLeaders(2);
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
  const { leaders, requests, scripts, log } = standInLeaders();
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
  const { leaders, requests, scripts } = standInLeaders();
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
  const { leaders, scripts, recovered, log } = standInLeaders();
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
  const { leaders, requests, scripts } = standInLeaders();
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
  const { leaders, scripts, log } = standInLeaders();
  scripts.push(refusing(0, 10));
  const publisher = createPublisher(leaders, settings);
  const refused = publisher.publish('t', PARTITIONS, [message(0, 'too large'), message(1, 'a')]);
  await expect(refused).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  await publisher.publish('t', PARTITIONS, [message(0, 'b')]);
  expect(log.get(0)).toEqual(['b']);
});

it('tries again when nobody answered, even where kafkajs calls that not retriable', async () => {
  const { leaders, scripts, log } = standInLeaders();
  const refused = Object.assign(new Error('ECONNREFUSED'), { retriable: false });
  scripts.push(() => Promise.reject(refused));
  const publisher = createPublisher(leaders, settings);
  await publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  expect(log.get(0)).toEqual(['a']);
});

it('does not wait for a login that was refused', async () => {
  const { leaders, scripts } = standInLeaders();
  const refused = Object.assign(new Error('no'), { name: 'KafkaJSSASLAuthenticationError' });
  scripts.push(() => Promise.reject(refused));
  const publisher = createPublisher(leaders, settings);
  const publishing = publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  await expect(publishing).rejects.toBe(refused);
});

it('sends no batch that a broker would refuse as too large, and keeps the order', async () => {
  const { leaders, requests, log } = standInLeaders();
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
