import {
  MAX_BATCH_BYTES,
  readFairly,
  sizeOf,
  type Cursor,
  type Feed,
  type Run,
} from '../delivery/cursor.js';
import type { ReceivedMessage } from '../port.js';

/** What was fetched and waits to be handed over, so that fetching goes on while a handler works. */
export interface PartitionBuffers {
  /** For the lanes: reads from here, in offset order. */
  readonly feed: Feed;
  /**
   * Messages of one topic and partition that follow those added before, and the offset from which the
   * log goes on: it may skip what is no message, such as the markers of transactions. What was added
   * before is left out: a former leader may answer late.
   */
  readonly add: (
    topic: string,
    partition: number,
    messages: readonly ReceivedMessage[],
    end: number,
  ) => void;
  /**
   * Resolves when at most `count` of the partition's messages wait, and no more bytes than half a batch
   * may have; false when that takes too long.
   */
  readonly below: (
    topic: string,
    partition: number,
    count: number,
    patience_ms: number,
  ) => Promise<boolean>;
  /** Forgets everything, as when the partitions are lost. */
  readonly clear: () => void;
}

interface Fetched {
  readonly messages: readonly ReceivedMessage[];
  readonly bytes: number;
  readonly end: number;
}

interface Waiter {
  readonly name: string;
  readonly count: number;
  readonly done: () => void;
}

/** Only a safety net: every add rings. */
const IDLE_MS = 60_000;
const MAX_WAITING_BYTES = MAX_BATCH_BYTES / 2;

export function createBuffers(): PartitionBuffers {
  const buffers = new Map<string, Fetched>();
  const rings = new Set<() => void>();
  const waiters = new Set<Waiter>();
  const nameOf = (topic: string, partition: number) => `${topic}/${partition}`;
  const waiting = (name: string) => buffers.get(name)?.messages.length ?? 0;

  const isBelow = (name: string, count: number) =>
    waiting(name) <= count && (buffers.get(name)?.bytes ?? 0) <= MAX_WAITING_BYTES;

  const check = () => {
    for (const waiter of waiters) if (isBelow(waiter.name, waiter.count)) waiter.done();
  };

  /** The cursor stands behind what was dealt with. */
  const trim = ({ topic, partition, next }: Cursor) => {
    const name = nameOf(topic, partition);
    const fetched = buffers.get(name);
    if (fetched === undefined) return;
    const { messages, end } = fetched;
    const found = messages.findIndex(({ offset }) => offset >= next);
    const first = found < 0 ? messages.length : found;
    if (next >= end) return void buffers.delete(name);
    if (found === 0) return;
    const bytes = fetched.bytes - bytesOf(messages.slice(0, first));
    buffers.set(name, { messages: messages.slice(first), bytes, end });
  };

  return {
    feed: {
      idle_ms: IDLE_MS,
      async read(cursors, max) {
        cursors.forEach(trim);
        check();
        const runs = readFairly(
          cursors,
          max,
          ({ topic, partition }) => waiting(nameOf(topic, partition)),
          ({ topic, partition }, count) =>
            buffers.get(nameOf(topic, partition))!.messages.slice(0, count),
        );
        const passing = cursors.flatMap((cursor): Run[] => {
          const fetched = buffers.get(nameOf(cursor.topic, cursor.partition));
          return fetched?.messages.length === 0 ? [{ cursor, messages: [], end: fetched.end }] : [];
        });
        return [...runs, ...passing];
      },
      watch(_topics, ring) {
        rings.add(ring);
        return () => rings.delete(ring);
      },
    },
    add(topic, partition, messages, end) {
      const name = nameOf(topic, partition);
      const held = buffers.get(name) ?? { messages: [], bytes: 0, end: 0 };
      const more = messages.filter(({ offset }) => offset >= held.end);
      buffers.set(name, {
        messages: [...held.messages, ...more],
        bytes: held.bytes + bytesOf(more),
        end: Math.max(held.end, end),
      });
      for (const ring of rings) ring();
    },
    below(topic, partition, count, patience_ms) {
      const name = nameOf(topic, partition);
      if (isBelow(name, count)) return Promise.resolve(true);
      return new Promise((resolve) => {
        const settle = (result: boolean) => {
          clearTimeout(timer);
          waiters.delete(waiter);
          resolve(result);
        };
        const waiter = { name, count, done: () => settle(true) };
        const timer = setTimeout(() => settle(false), patience_ms);
        waiters.add(waiter);
      });
    },
    clear() {
      buffers.clear();
      check();
    },
  };
}

const bytesOf = (messages: readonly ReceivedMessage[]): number =>
  messages.reduce((sum, message) => sum + sizeOf(message), 0);
