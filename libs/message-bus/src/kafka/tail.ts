import { backoffMs, type Backoff } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, ReceivedMessage } from '../port.js';
import { OffsetLost } from './errors.js';
import type { Leaders } from './leaders.js';
import { byLeader, fetchFrom, type Offsets } from './log-reader.js';
import { receivedMessages } from './received.js';

const LIMITS = { max_wait_ms: 250, max_bytes: 4_000_000 };
const LEADERLESS_PAUSE_MS = 1_000;

interface TailSettings {
  readonly topic: string;
  readonly handler: (messages: readonly ReceivedMessage[]) => void;
  /** Told what the handler throws, and what goes wrong on the way; the tail goes on. */
  readonly on_error: (error: unknown) => void;
  readonly retry: Backoff;
}

/** Follows a topic from its end, one standing request per leader. In place when it resolves. */
export async function startTail(leaders: Leaders, settings: TailSettings): Promise<Consumer> {
  const { topic, handler, on_error, retry } = settings;
  const logs = await leaders.repeat(() => leaders.logEnds(topic));
  /** NaN until the log has a leader that says where it ends. */
  const offsets: Offsets = new Map(logs.map(({ partition, end }) => [partition, end]));
  const loops = new Set<number>();
  // While leaders move, two loops may want one partition: only one may ask for it.
  const asked = new Set<number>();
  let closing = false;
  let failures = 0;

  const deliver = (messages: readonly ReceivedMessage[]) => {
    try {
      handler(messages);
    } catch (error) {
      on_error(error);
    }
  };

  const led = () => byLeader(leaders, topic, known());
  const known = () => [...offsets].filter(([, next]) => !Number.isNaN(next)).map(([one]) => one);

  const follow = async (leader: number) => {
    for (;;) {
      const partitions = (led().get(leader) ?? []).filter((one) => !asked.has(one));
      if (closing || partitions.length === 0) return;
      for (const partition of partitions) asked.add(partition);
      try {
        const broker = await leaders.broker(leader);
        const batches = await fetchFrom(broker, topic, offsets, partitions, LIMITS);
        failures = 0;
        if (!closing) batches.map(receivedMessages).forEach(deliver);
      } catch (error) {
        if (closing) return;
        on_error(error);
        await recover(error);
      } finally {
        for (const partition of partitions) asked.delete(partition);
        startLoops();
      }
    }
  };

  const recover = async (error: unknown) => {
    await sleep(backoffMs(retry, ++failures));
    await leaders.recover(error).catch(() => undefined);
    // What a tail has missed it never gets: whoever needs all of it uses a group.
    if (error instanceof OffsetLost) {
      for (const { partition, begin, end } of await leaders.logEnds(topic).catch(() => [])) {
        if (offsets.get(partition)! < begin || offsets.get(partition)! > end)
          offsets.set(partition, end);
      }
    }
  };

  /** One loop per leader; a loop ends when its leader leads nothing (that is free) any more. */
  const startLoops = () => {
    for (const leader of led().keys()) {
      if (loops.has(leader) || closing) continue;
      loops.add(leader);
      void follow(leader).finally(() => loops.delete(leader));
    }
  };

  /** Whoever leads nothing has no loop that would notice when that changes. */
  const seekLeaders = async () => {
    const missing = [...offsets.keys()].filter((one) => leaders.of(topic, one) === undefined);
    if (missing.length > 0) {
      const names = missing.map((partition) => `${topic}/${partition}`);
      await leaders.recover(new Error(`nobody leads ${names.join(', ')}`));
    }
    if (known().length < offsets.size) {
      for (const { partition, end } of await leaders.logEnds(topic))
        if (Number.isNaN(offsets.get(partition))) offsets.set(partition, end);
    }
    startLoops();
  };
  const timer = setInterval(() => {
    void seekLeaders().catch((error: unknown) => closing || on_error(error));
  }, LEADERLESS_PAUSE_MS);

  startLoops();
  return {
    assigned: () => [...offsets.keys()],
    async close() {
      closing = true; // which ends the loops, each with its answer
      clearInterval(timer);
      await leaders.close();
    },
  };
}
