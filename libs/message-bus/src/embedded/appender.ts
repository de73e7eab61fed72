import { setTimeout as sleep } from 'node:timers/promises';
import type { Instant } from '#libs/contracts';
import { int2Array, int4Array, isRetriable, textArray } from '#libs/platform';
import type pg from 'pg';
import { backoffMs, type Backoff } from '../delivery/backoff.js';
import { checkSize, messageBytes, normalText, normalValue } from '../message-value.js';
import { partitionOf } from '../partitioner.js';
import type { OutgoingMessage } from '../port.js';
import { createAdmission } from './admission.js';
import { encodeBatch, type BatchPlace, type Record } from './record-batch.js';
import type { Topics } from './schema.js';

export interface AppenderLimits {
  /** A publish waits while more than this is queued. */
  readonly max_queued_messages: number;
  readonly max_queued_bytes: number;
  /** Longest time from publish to its answer, with waiting and repeats. */
  readonly publish_timeout_ms: number;
  readonly retry: Backoff;
}

/** Told of each batch right after its commit. */
export type OnAppended = (place: BatchPlace, records: readonly Record[], bytes: number) => void;

export interface Appender {
  /** Resolves when all messages are durable. Rejects when any may not be. */
  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Refuses what comes, finishes what is queued. */
  close(): Promise<void>;
}

/** Some messages of one publish; never split further, so its fate is one. */
interface Chunk {
  readonly topic: string;
  readonly partitions: ReadonlyMap<number, Record[]>;
  readonly messages: number;
  readonly bytes: number;
  readonly deadline: number;
  readonly done: (error?: unknown) => void;
}

/** Most that one statement carries, and therefore about the most of one stored batch. */
const CALL_MESSAGES = 10_000;
const CALL_BYTES = 4_000_000;

/**
 * One statement at a time for the whole process: whatever was published while the last one was in
 * flight goes together. So the cost per message falls with the load.
 */
export function createAppender(
  pool: pg.Pool,
  topics: Topics,
  limits: AppenderLimits,
  appended: OnAppended,
): Appender {
  const queue: Chunk[] = [];
  let running: Promise<void> | undefined;
  let closed = false;
  const admission = createAdmission({
    messages: limits.max_queued_messages,
    bytes: limits.max_queued_bytes,
  });

  const settle = (chunk: Chunk, error?: unknown) => {
    admission.leave(chunk);
    chunk.done(error);
  };

  const take = (): Chunk[] => {
    let messages = 0;
    let bytes = 0;
    const end = queue.findIndex((chunk, index) => {
      messages += chunk.messages;
      bytes += chunk.bytes;
      return index > 0 && (messages > CALL_MESSAGES || bytes > CALL_BYTES);
    });
    return queue.splice(0, end === -1 ? queue.length : end);
  };

  const write = async (taken: readonly Chunk[]) => {
    let chunks = taken;
    for (let attempt = 1; chunks.length > 0; attempt++) {
      try {
        await append(pool, topics, chunks, appended);
        for (const chunk of chunks) settle(chunk);
        return;
      } catch (error) {
        const isOver = (chunk: Chunk) => !isRetriable(error) || chunk.deadline < performance.now();
        for (const chunk of chunks.filter(isOver)) settle(chunk, error);
        chunks = chunks.filter((chunk) => !isOver(chunk));
      }
      await sleep(backoffMs(limits.retry, attempt));
    }
  };

  const run = async () => {
    while (queue.length > 0) await write(take());
    running = undefined;
  };

  const enqueue = async (topic: string, messages: readonly OutgoingMessage[], deadline: number) => {
    for (const part of parts(topic, messages)) {
      const load = { messages: part.messages.length, bytes: part.bytes };
      await admission.enter(load, deadline);
      await new Promise<void>((resolve, reject) => {
        const done = (error?: unknown) => (error === undefined ? resolve() : reject(error));
        const partitions = byPartition(part.messages, topics.partitions);
        queue.push({ ...load, topic, partitions, deadline, done });
        running ??= run();
      });
    }
  };

  return {
    async publish(topic, messages) {
      if (closed) throw new Error('the message bus is closed');
      topics.idOf(topic);
      await enqueue(topic, messages, performance.now() + limits.publish_timeout_ms);
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

interface Part {
  readonly messages: readonly OutgoingMessage[];
  readonly bytes: number;
}

/** Checks every message before the first is sent, and cuts what one statement should not carry. */
function parts(topic: string, messages: readonly OutgoingMessage[]): Part[] {
  const cut: Part[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, message] of messages.entries()) {
    const size = messageBytes(message);
    checkSize(topic, size);
    if (index - from === CALL_MESSAGES || (index > from && bytes + size > CALL_BYTES)) {
      cut.push({ messages: messages.slice(from, index), bytes });
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < messages.length) cut.push({ messages: messages.slice(from), bytes });
  return cut;
}

const NO_HEADERS = Object.freeze({});

function byPartition(
  messages: readonly OutgoingMessage[],
  partitions: number,
): Map<number, Record[]> {
  const records = new Map<number, Record[]>();
  for (const message of messages) {
    const key = message.key === null ? null : normalText(message.key);
    const partition = partitionOf(key, partitions);
    const list = records.get(partition);
    const headers = message.headers ?? NO_HEADERS;
    const record = { key, value: normalValue(message.value), headers };
    if (list === undefined) records.set(partition, [record]);
    else list.push(record);
  }
  return records;
}

interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly records: Record[];
}

/** Chunks of the same partition become one batch, in their order. */
function merge(chunks: readonly Chunk[]): Batch[] {
  const batches = new Map<string, Batch>();
  for (const { topic, partitions } of chunks) {
    for (const [partition, records] of partitions) {
      const id = `${partition} ${topic}`;
      const batch = batches.get(id);
      if (batch === undefined) batches.set(id, { topic, partition, records: [...records] });
      else for (const record of records) batch.records.push(record);
    }
  }
  return [...batches.values()];
}

async function append(
  pool: pg.Pool,
  topics: Topics,
  chunks: readonly Chunk[],
  appended: OnAppended,
): Promise<void> {
  const batches = merge(chunks);
  const payloads = batches.map((batch) => encodeBatch(batch.records));
  const { rows } = await pool.query<{ r_index: bigint; r_base: bigint; r_at: Instant }>({
    name: 'bus-append',
    text: 'select r_index, r_base, r_at from bus.append($1, $2, $3, $4, $5)',
    values: [
      int2Array(batches.map((batch) => topics.idOf(batch.topic))),
      int4Array(batches.map((batch) => batch.partition)),
      int4Array(batches.map((batch) => batch.records.length)),
      int4Array(payloads.map((payload) => payload.length)),
      textArray(payloads),
    ],
  });
  if (rows.length !== batches.length) throw new Error('a partition of the topic is missing');
  for (const { r_index, r_base, r_at } of rows) {
    const index = Number(r_index) - 1;
    const { topic, partition, records } = batches[index]!;
    const place = { topic, partition, base: Number(r_base), timestamp: r_at };
    appended(place, records, payloads[index]!.length);
  }
}
