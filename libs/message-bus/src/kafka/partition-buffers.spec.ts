import { instantOf } from '#libs/contracts';
import type { Cursor } from '../delivery/cursor.js';
import type { ReceivedMessage } from '../port.js';
import { createBuffers } from './partition-buffers.js';

const messages = (partition: number, from: number, count: number): ReceivedMessage[] =>
  Array.from({ length: count }, (_, index) => ({
    topic: 't',
    partition,
    offset: from + index,
    timestamp: instantOf(0),
    key: null,
    value: null,
    headers: {},
  }));
const cursorOf = (partition: number): Cursor => ({
  topic: 't',
  partition,
  epoch: 1,
  next: 0,
  committed: 0,
  lost: false,
});

it('hands over in order, what was added later after what was added before', async () => {
  const { feed, add } = createBuffers();
  const cursor = cursorOf(0);
  add('t', 0, messages(0, 10, 3));
  add('t', 0, messages(0, 13, 2));
  const [first] = await feed.read([cursor], 4);
  expect(first?.messages.map(({ offset }) => offset)).toEqual([10, 11, 12, 13]);
  expect(await feed.read([cursor], 4)).toEqual([first]); // a failed batch comes again
  cursor.next = 14;
  const [second] = await feed.read([cursor], 4);
  expect(second?.messages.map(({ offset }) => offset)).toEqual([14]);
  cursor.next = 15;
  expect(await feed.read([cursor], 4)).toEqual([]);
});

it('merges what waits for several partitions into one batch', async () => {
  const { feed, add } = createBuffers();
  for (const partition of [0, 1, 2]) add('t', partition, messages(partition, 0, 50));
  const runs = await feed.read([0, 1, 2].map(cursorOf), 60);
  expect(runs.map((run) => run.messages.length)).toEqual([20, 20, 20]);
});

it('rings for every addition', () => {
  const { feed, add } = createBuffers();
  let rings = 0;
  const stop = feed.watch(['t'], () => rings++);
  add('t', 0, messages(0, 0, 1));
  expect(rings).toBe(1);
  stop();
  add('t', 0, messages(0, 1, 1));
  expect(rings).toBe(1);
});

it('lets the next fetch wait until little is left, until it takes too long, or all is lost', async () => {
  const { feed, add, below, clear } = createBuffers();
  const cursor = cursorOf(0);
  expect(await below('t', 0, 0, 1_000)).toBe(true);
  add('t', 0, messages(0, 0, 10));
  expect(await below('t', 0, 5, 10)).toBe(false);
  let drained: boolean | undefined;
  const waiting = below('t', 0, 5, 60_000).then((result) => (drained = result));
  cursor.next = 4;
  await feed.read([cursor], 1);
  expect(drained).toBeUndefined();
  cursor.next = 5;
  await feed.read([cursor], 1);
  expect(await waiting).toBe(true);
  const lost = below('t', 0, 0, 60_000);
  clear();
  expect(await lost).toBe(true);
});
