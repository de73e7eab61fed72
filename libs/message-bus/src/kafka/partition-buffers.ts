import { readFairly, type Cursor, type Feed } from '../delivery/cursor.js';
import type { ReceivedMessage } from '../port.js';

/** What was fetched and waits to be handed over, so that fetching goes on while a handler works. */
export interface PartitionBuffers {
  /** For the lanes: reads from here, in offset order. */
  readonly feed: Feed;
  /** Messages of one topic and partition that follow those added before. */
  readonly add: (topic: string, partition: number, messages: readonly ReceivedMessage[]) => void;
  /** Resolves when at most `count` of the partition's messages wait; false when that takes too long. */
  readonly below: (
    topic: string,
    partition: number,
    count: number,
    patience_ms: number,
  ) => Promise<boolean>;
  /** Forgets everything, as when the partitions are lost. */
  readonly clear: () => void;
}

interface Waiter {
  readonly name: string;
  readonly count: number;
  readonly done: () => void;
}

/** Only a safety net: every add rings. */
const IDLE_MS = 60_000;

export function createBuffers(): PartitionBuffers {
  const buffers = new Map<string, ReceivedMessage[]>();
  const rings = new Set<() => void>();
  const waiters = new Set<Waiter>();
  const nameOf = (topic: string, partition: number) => `${topic}/${partition}`;
  const waiting = (name: string) => buffers.get(name)?.length ?? 0;

  const check = () => {
    for (const waiter of waiters) if (waiting(waiter.name) <= waiter.count) waiter.done();
  };

  /** The cursor stands behind what was dealt with. */
  const trim = ({ topic, partition, next }: Cursor) => {
    const name = nameOf(topic, partition);
    const messages = buffers.get(name);
    if (messages === undefined) return;
    const first = messages.findIndex(({ offset }) => offset >= next);
    if (first === -1) buffers.delete(name);
    else if (first > 0) buffers.set(name, messages.slice(first));
  };

  return {
    feed: {
      idle_ms: IDLE_MS,
      async read(cursors, max) {
        cursors.forEach(trim);
        check();
        return readFairly(
          cursors,
          max,
          ({ topic, partition }) => waiting(nameOf(topic, partition)),
          ({ topic, partition }, count) => buffers.get(nameOf(topic, partition))!.slice(0, count),
        );
      },
      watch(_topics, ring) {
        rings.add(ring);
        return () => rings.delete(ring);
      },
    },
    add(topic, partition, messages) {
      const name = nameOf(topic, partition);
      buffers.set(name, [...(buffers.get(name) ?? []), ...messages]);
      for (const ring of rings) ring();
    },
    below(topic, partition, count, patience_ms) {
      const name = nameOf(topic, partition);
      if (waiting(name) <= count) return Promise.resolve(true);
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
