import { instantOf } from '#libs/contracts';
import type { Cursor } from '../delivery/cursor.js';
import type { ReceivedMessage } from '../port.js';
import { createBuffers, type PartitionBuffers } from './partition-buffers.js';

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
/** Adds them to a log that holds nothing else. */
const addAll = (add: PartitionBuffers['add'], partition: number, from: number, count: number) =>
  add('t', partition, messages(partition, from, count), from + count);
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
  addAll(add, 0, 10, 3);
  addAll(add, 0, 13, 2);
  const [first] = await feed.read([cursor], 4);
  expect(first?.messages.map(({ offset }) => offset)).toEqual([10, 11, 12, 13]);
  expect(await feed.read([cursor], 4)).toEqual([first]); // a failed batch comes again
  cursor.next = 14;
  const [second] = await feed.read([cursor], 4);
  expect(second?.messages.map(({ offset }) => offset)).toEqual([14]);
  cursor.next = 15;
  expect(await feed.read([cursor], 4)).toEqual([]);
});

it('passes what is no message, as soon as all messages before it are dealt with', async () => {
  const { feed, add } = createBuffers();
  const cursor = cursorOf(0);
  add('t', 0, messages(0, 10, 3), 14);
  add('t', 0, [], 15);
  const [part] = await feed.read([cursor], 2);
  expect(part?.end).toBe(12);
  cursor.next = 12;
  const [rest] = await feed.read([cursor], 2);
  expect(rest).toMatchObject({ messages: [{ offset: 12 }], end: 13 });
  add('t', 0, [], 20); // while the rest is in hand
  cursor.next = 13;
  expect(await feed.read([cursor], 2)).toEqual([{ cursor, messages: [], end: 20 }]);
  cursor.next = 20;
  expect(await feed.read([cursor], 2)).toEqual([]);
});

it('merges what waits for several partitions into one batch', async () => {
  const { feed, add } = createBuffers();
  for (const partition of [0, 1, 2]) addAll(add, partition, 0, 50);
  const runs = await feed.read([0, 1, 2].map(cursorOf), 60);
  expect(runs.map((run) => run.messages.length)).toEqual([20, 20, 20]);
});

it('rings for every addition', () => {
  const { feed, add } = createBuffers();
  let rings = 0;
  const stop = feed.watch(['t'], () => rings++);
  addAll(add, 0, 0, 1);
  expect(rings).toBe(1);
  stop();
  addAll(add, 0, 1, 1);
  expect(rings).toBe(1);
});

it('lets the next fetch wait until little is left, until it takes too long, or all is lost', async () => {
  const { feed, add, below, clear } = createBuffers();
  const cursor = cursorOf(0);
  expect(await below('t', 0, 0, 1_000)).toBe(true);
  addAll(add, 0, 0, 10);
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

it('lets the next fetch wait for large messages sooner', async () => {
  const { feed, add, below } = createBuffers();
  const cursor = cursorOf(0);
  const large = messages(0, 0, 3).map((one) => ({ ...one, value: 'x'.repeat(900_000) }));
  add('t', 0, large.slice(0, 2), 2);
  expect(await below('t', 0, 1_000, 10)).toBe(true);
  add('t', 0, large.slice(2), 3);
  expect(await below('t', 0, 1_000, 10)).toBe(false);
  const waiting = below('t', 0, 1_000, 60_000);
  cursor.next = 1;
  await feed.read([cursor], 1);
  expect(await waiting).toBe(true);
});

it('client hazard 23: leaves out what a former leader answers once more, so the order never goes back', async () => {
  const { feed, add } = createBuffers();
  const cursor = cursorOf(0);
  addAll(add, 0, 10, 5);
  addAll(add, 0, 12, 2);
  addAll(add, 0, 13, 4);
  const [run] = await feed.read([cursor], 100);
  expect(run?.messages.map(({ offset }) => offset)).toEqual([10, 11, 12, 13, 14, 15, 16]);
  expect(run?.end).toBe(17);
});
