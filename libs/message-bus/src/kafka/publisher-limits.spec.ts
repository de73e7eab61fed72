import {
  inFull,
  message,
  PARTITIONS,
  refusing,
  settings,
  standInLeaders,
  type Request,
} from '../../publisher-stand-in.js';
import { PublishTimeout } from '../admission.js';
import { createPublisher } from './publisher.js';

const nobody = () => Promise.reject(new Error('nobody is there'));
const values = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, n) => `${n}`.padEnd(bytes, '.'));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Answers in full, once it is let. */
function heldAnswer() {
  let answer = () => {};
  const held = async (request: Request) => {
    await new Promise<void>((resolve) => (answer = resolve));
    return inFull(request);
  };
  return { held, answer: () => answer() };
}

it('gives up after the stated time, with the last error', async () => {
  const { leaders, scripts, requests } = standInLeaders();
  for (let n = 0; n < 1_000; n++) scripts.push(() => Promise.reject(new Error('nobody is there')));
  const publisher = createPublisher(leaders, { ...settings, publish_timeout_ms: 500 });
  const publishing = publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  await expect(publishing).rejects.toThrow('nobody is there');
  expect(requests.length).toBeGreaterThan(1);
});

it('gives up what waits behind, too, when its time is over', async () => {
  const { leaders, scripts } = standInLeaders();
  for (let n = 0; n < 1_000; n++) scripts.push(nobody);
  const retry = { min_ms: 100, max_ms: 200 };
  const limits = { publish_timeout_ms: 300, max_queued_bytes: 64_000_000 };
  const publisher = createPublisher(leaders, { ...settings, ...limits, retry });
  const begin = performance.now();
  const took = values(15, 900_000).map((value) =>
    publisher.publish('t', PARTITIONS, [message(0, value)]).then(
      () => 0,
      () => performance.now() - begin,
    ),
  );
  for (const time_ms of await Promise.all(took)) {
    expect(time_ms).toBeGreaterThan(290);
    expect(time_ms).toBeLessThan(1_200);
  }
});

it('gives up what is under way and not answered in time', async () => {
  const { leaders, scripts, requests } = standInLeaders();
  const { held, answer } = heldAnswer();
  scripts.push(held);
  const publisher = createPublisher(leaders, { ...settings, publish_timeout_ms: 50 });
  const publishing = publisher.publish('t', PARTITIONS, [message(0, 'a')]);
  await expect(publishing).rejects.toBeInstanceOf(PublishTimeout);
  answer();
  await publisher.publish('t', PARTITIONS, [message(0, 'b')]);
  expect(requests).toHaveLength(2);
});

it('a call larger than what may be queued gets through in order, and lets others in between', async () => {
  const { leaders, log } = standInLeaders();
  const publisher = createPublisher(leaders, { ...settings, max_queued_bytes: 1_000 });
  const many = values(40, 100_000);
  const sent = many.flatMap((value) => [message(0, value), message(1, value)]);
  const publishing = publisher.publish('t', PARTITIONS, sent);
  await publisher.publish('t', PARTITIONS, [message(0, 'small')]);
  await publishing;
  expect(log.get(0)?.indexOf('small')).toBeLessThan(40);
  expect(log.get(0)?.filter((value) => value !== 'small')).toEqual(many);
  expect(log.get(1)).toEqual(many);
});

it('a call waits for room, for as long as it may take, and leaves room behind', async () => {
  const { leaders, scripts, requests, log } = standInLeaders();
  const { held, answer } = heldAnswer();
  scripts.push(held);
  const limits = { max_queued_bytes: 1_000, publish_timeout_ms: 100 };
  const publisher = createPublisher(leaders, { ...settings, ...limits });
  const publish = (value: string) =>
    publisher.publish('t', PARTITIONS, [message(0, value.padEnd(1_000, '.'))]);
  const late = [publish('under way'), publish('waits')].map((call) =>
    expect(call).rejects.toBeInstanceOf(PublishTimeout),
  );
  await Promise.all(late);
  const waits = publish('waits, too');
  await turn();
  expect(requests).toHaveLength(1);
  answer();
  await waits;
  expect(log.get(0)?.map((value) => value.replace(/\.+/, ''))).toEqual(['under way', 'waits, too']);
});

it('a partition that nobody leads takes no room from the others', async () => {
  const { leaders, log } = standInLeaders(2);
  const { broker } = leaders;
  const gone = { ...leaders, broker: (node: number) => (node === 0 ? nobody() : broker(node)) };
  const limits = { max_queued_bytes: 10_000, publish_timeout_ms: 2_000 };
  const publisher = createPublisher(gone, { ...settings, ...limits });
  let given_up = 0;
  const dead = values(100, 500).map((value) =>
    publisher.publish('t', PARTITIONS, [message(0, value)]).catch(() => given_up++),
  );
  const alive = values(10, 500);
  for (const value of alive) await publisher.publish('t', PARTITIONS, [message(1, value)]);
  expect(log.get(1)).toEqual(alive);
  expect(given_up).toBe(0);
  await Promise.all(dead);
  expect(given_up).toBe(100);
});

it('closes when all is sent, also what waits for room, and takes nothing more', async () => {
  const { leaders, requests, scripts, log } = standInLeaders();
  const { held, answer } = heldAnswer();
  scripts.push(held);
  const publisher = createPublisher(leaders, { ...settings, max_queued_bytes: 1_000 });
  const calls = values(2, 1_000).map((value) =>
    publisher.publish('t', PARTITIONS, [message(0, value)]),
  );
  const closing = publisher.close();
  await expect(publisher.publish('t', PARTITIONS, [message(0, 'late')])).rejects.toThrow('closed');
  while (requests.length === 0) await turn();
  answer();
  await closing;
  await Promise.all(calls);
  expect(log.get(0)).toHaveLength(2);
});

it('a close gives up what no broker takes, and rejects its calls', async () => {
  const { leaders, scripts, requests } = standInLeaders();
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
