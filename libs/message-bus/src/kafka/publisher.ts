import { backoffMs, within, type Backoff } from '#libs/platform';
import type { Message } from 'kafkajs';
import { createAdmission, PublishTimeout, type Load } from '../admission.js';
import { checkSize, messageBytes } from '../message-value.js';
import { partitionOf } from '../partitioner.js';
import type { OutgoingMessage } from '../port.js';
import { fatalCause } from './errors.js';
import type { Leaders } from './leaders.js';
import {
  batchAt,
  bytesOf,
  RECORD_OVERHEAD_BYTES,
  takeParts,
  type Call,
  type Entry,
  type Part,
  type PartitionQueue,
} from './partition-queue.js';
import { produce } from './produce-request.js';

export interface PublisherSettings {
  readonly retry: Backoff;
  /** A message that is not durable after this long is given up; it may still be written. */
  readonly publish_timeout_ms: number;
  /** A publish waits while more than this is queued, or for one partition a sixteenth of it. */
  readonly max_queued_bytes: number;
  /** A close gives up what is not durable after this long. */
  readonly close_timeout_ms: number;
}

interface Publisher {
  publish(topic: string, partitions: number, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Takes nothing more; resolves when what waits is durable or given up. */
  close(): Promise<void>;
}

/** Stands for the leader of what nobody leads: its requests fail and come again. */
const NOBODY = -1;
/** So a partition that nobody leads cannot take the room of all others. */
const SHARE_OF_ROOM = 1 / 16;
/** Calls that end within this time are given up together. */
const EXPIRY_STEP_MS = 10;

/**
 * One request at a time per leader, and in it whatever waits for the partitions that it leads. So one
 * round trip is shared by all callers, a request never spans leaders (client hazard 1), and there is
 * no producer id whose sequence could be reused (client hazard 2).
 */
export function createPublisher(leaders: Leaders, settings: PublisherSettings): Publisher {
  const { publish_timeout_ms, max_queued_bytes } = settings;
  const queues = new Map<string, PartitionQueue>();
  const busy = new Set<number>();
  /** In the order of their deadlines, as all have as long. */
  const calls = new Set<Call>();
  const room = createAdmission({ messages: Infinity, bytes: max_queued_bytes });
  let expiry: NodeJS.Timeout | undefined;
  let scheduled = false;
  let closing: (() => void) | undefined;

  const queueOf = (topic: string, partition: number): PartitionQueue => {
    const name = `${topic}/${partition}`;
    const found = queues.get(name);
    if (found !== undefined) return found;
    const bytes = max_queued_bytes * SHARE_OF_ROOM;
    const queue: PartitionQueue = {
      name,
      topic,
      partition,
      room: createAdmission({ messages: Infinity, bytes }),
      entries: [],
      in_flight: false,
      failures: 0,
    };
    queues.set(name, queue);
    return queue;
  };

  /** In slices, so that a call of any size gets through and none keeps the others out for long. */
  const enqueue = async (call: Call, queue: PartitionQueue, entries: readonly Entry[]) => {
    for (let from = 0; from < entries.length;) {
      const slice = batchAt(entries, from);
      const load = loadOf(slice);
      if (!queue.room.tryEnter(load)) await queue.room.enter(load, call.deadline_ms);
      if (!room.tryEnter(load)) {
        await room.enter(load, call.deadline_ms).catch((error: unknown) => {
          queue.room.leave(load);
          throw error;
        });
      }
      if (call.failure !== undefined) return leave(queue, slice);
      queue.entries.push(...slice);
      from += slice.length;
      schedule();
    }
  };

  const leave = (queue: PartitionQueue, entries: readonly Entry[]) => {
    const load = loadOf(entries);
    queue.room.leave(load);
    room.leave(load);
  };

  const ended = (call: Call) => {
    calls.delete(call);
    if (closing !== undefined && calls.size === 0) closing();
  };

  /** What still waits of the calls is not sent; what is under way may be written. */
  const giveUp = (failed: Iterable<Call>, why: (call: Call) => Error) => {
    for (const call of failed) {
      call.failure ??= why(call);
      call.reject(call.failure);
      ended(call);
    }
    for (const queue of queues.values()) dropFailed(queue);
  };

  const dropFailed = (queue: PartitionQueue) => {
    const isFailed = ({ call }: Entry) => call.failure !== undefined;
    const dropped = queue.entries.filter(isFailed);
    if (dropped.length === 0) return;
    queue.entries = queue.entries.filter((entry) => !isFailed(entry));
    leave(queue, dropped);
  };

  const awaitExpiry = () => {
    const [oldest] = calls;
    if (oldest === undefined || expiry !== undefined) return;
    const left_ms = oldest.deadline_ms - performance.now();
    // Without a hold on the process: it is not called off when the calls end before.
    expiry = setTimeout(expire, Math.max(left_ms, EXPIRY_STEP_MS)).unref();
  };

  const expire = () => {
    expiry = undefined;
    const now_ms = performance.now();
    const late = [...calls].filter(({ deadline_ms }) => deadline_ms <= now_ms);
    const timeout = () => new PublishTimeout(`not durable after ${publish_timeout_ms} ms`);
    if (late.length > 0) giveUp(late, ({ trouble }) => trouble ?? timeout());
    awaitExpiry();
  };

  /** What callers of the same turn of the event loop publish goes together. */
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      pump();
    });
  };

  const pump = () => {
    const per_leader = new Map<number, PartitionQueue[]>();
    for (const queue of queues.values()) {
      if (queue.in_flight || queue.entries.length === 0) continue;
      const leader = leaders.of(queue.topic, queue.partition) ?? NOBODY;
      per_leader.set(leader, [...(per_leader.get(leader) ?? []), queue]);
    }
    for (const [leader, ready] of per_leader) if (!busy.has(leader)) void send(leader, ready);
  };

  const send = async (leader: number, ready: readonly PartitionQueue[]) => {
    const parts = takeParts(ready);
    busy.add(leader);
    for (const { queue } of parts) queue.in_flight = true;
    let refused: Map<PartitionQueue, Error>;
    let is_answer = true;
    try {
      refused = await produce(await leaders.broker(leader), parts);
    } catch (error) {
      refused = new Map(parts.map(({ queue }) => [queue, error as Error]));
      is_answer = false;
    }
    busy.delete(leader);
    const failed: Part[] = [];
    for (const part of parts) {
      const why = refused.get(part.queue);
      if (why === undefined) written(part);
      else if (isFinal(why, is_answer)) refuse(part, why);
      else failed.push(part);
    }
    schedule();
    if (failed.length > 0) await sendAgain(failed, refused);
  };

  const written = ({ queue, entries }: Part) => {
    queue.in_flight = false;
    queue.failures = 0;
    // To the end of the line: when not all fit into a request, the others come first.
    queues.delete(queue.name);
    queues.set(queue.name, queue);
    leave(queue, entries);
    for (const { call } of entries) {
      if (--call.open > 0) continue;
      call.resolve();
      ended(call);
    }
  };

  const refuse = ({ queue, entries }: Part, why: Error) => {
    queue.in_flight = false;
    leave(queue, entries);
    giveUp(new Set(entries.map(({ call }) => call)), () => why);
  };

  /** The same messages, after a pause, until their time is up. */
  const sendAgain = async (parts: readonly Part[], why: ReadonlyMap<PartitionQueue, Error>) => {
    for (const { queue, entries } of parts) {
      queue.entries = [...entries, ...queue.entries];
      dropFailed(queue);
      for (const { call } of queue.entries) call.trouble = why.get(queue);
      queue.failures++;
    }
    const attempt = Math.max(...parts.map(({ queue }) => queue.failures));
    await new Promise((resolve) => setTimeout(resolve, backoffMs(settings.retry, attempt)));
    await leaders.recover(why.get(parts[0]!.queue)).catch(() => undefined);
    for (const { queue } of parts) queue.in_flight = false;
    schedule();
  };

  return {
    async publish(topic, partitions, messages) {
      if (closing !== undefined) throw new Error('the message bus is closed');
      const sizes = messages.map(messageBytes);
      for (const bytes of sizes) checkSize(topic, bytes);
      if (messages.length === 0) return;
      await new Promise<void>((resolve, reject) => {
        const deadline_ms = performance.now() + publish_timeout_ms;
        const open = messages.length;
        const state = { open, failure: undefined, trouble: undefined, deadline_ms };
        const call: Call = { ...state, resolve, reject };
        const by_queue = new Map<PartitionQueue, Entry[]>();
        for (const [index, message] of messages.entries()) {
          const queue = queueOf(topic, partitionOf(message.key, partitions));
          const bytes = sizes[index]! + RECORD_OVERHEAD_BYTES;
          const entry = { call, message: wireMessage(message), bytes };
          const entries = by_queue.get(queue);
          if (entries === undefined) by_queue.set(queue, [entry]);
          else entries.push(entry);
        }
        calls.add(call);
        awaitExpiry();
        for (const [queue, entries] of by_queue)
          enqueue(call, queue, entries).catch((error: Error) => giveUp([call], () => error));
      });
    },
    async close() {
      const idle = new Promise<void>((resolve) => (closing = resolve));
      if (calls.size === 0) return;
      await within(settings.close_timeout_ms, idle, 'closed before it was durable').catch(
        (error: Error) => giveUp([...calls], () => error),
      );
    },
  };
}

/**
 * What a broker answers for good stays so. Without an answer only what needs a person is final: kafkajs
 * calls even a refused connection not retriable.
 */
const isFinal = (error: Error, is_answer: boolean): boolean =>
  fatalCause(error) !== undefined ||
  (is_answer && (error as { retriable?: boolean }).retriable === false);

const loadOf = (entries: readonly Entry[]): Load => ({
  messages: entries.length,
  bytes: bytesOf(entries),
});

function wireMessage({ key, value, headers }: OutgoingMessage): Message {
  return headers === undefined ? { key, value } : { key, value, headers };
}
