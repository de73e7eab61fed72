import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Instant } from '#libs/contracts';
import {
  type Backoff,
  backoffMs,
  int2Array,
  int4Array,
  isRetriable,
  textArray,
} from '#libs/platform';
import type pg from 'pg';
import { checkSize, messageBytes, normalText, normalValue } from '../message-value.js';
import { partitionOf } from '../partitioner.js';
import type { OutgoingMessage } from '../port.js';
import { createAdmission, type Load } from '../admission.js';
import { encodeBatch, type BatchPlace, type BusRecord } from './record-batch.js';
import type { Topics } from './schema.js';

interface AppenderLimits {
  /** A publish waits while more than this is queued. */
  readonly max_queued_messages: number;
  readonly max_queued_bytes: number;
  /** Longest time from publish to its answer, with waiting and repeats. */
  readonly publish_timeout_ms: number;
  readonly retry: Backoff;
  /** Called for each failure, also for one that a repeat may fix. */
  readonly on_error: (error: unknown) => void;
}

/** Told of each batch right after its commit. */
type OnAppended = (place: BatchPlace, records: readonly BusRecord[]) => void;

interface Appender {
  /** Resolves when all messages are durable. Rejects when any may not be. */
  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Refuses what comes, finishes what is queued. */
  close(): Promise<void>;
}

/** Some messages of one publish; never split further, so its fate is one. */
interface Chunk extends Load {
  readonly topic: string;
  readonly records: readonly BusRecord[];
  /** On the monotonic clock. */
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
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
  let queue: Chunk[] = [];
  let running: Promise<void> | undefined;
  let closed = false;
  const admission = createAdmission({
    messages: limits.max_queued_messages,
    bytes: limits.max_queued_bytes,
  });

  const take = (): Chunk[] => {
    let messages = 0;
    let bytes = 0;
    const end = queue.findIndex((chunk, index) => {
      messages += chunk.messages;
      bytes += chunk.bytes;
      return index > 0 && (messages > CALL_MESSAGES || bytes > CALL_BYTES);
    });
    const taken = end === -1 ? queue : queue.slice(0, end);
    queue = end === -1 ? [] : queue.slice(end);
    return taken;
  };

  const write = async (taken: readonly Chunk[]) => {
    let chunks = taken;
    for (let attempt = 1; ; attempt++) {
      try {
        await append(pool, topics, chunks, appended);
        for (const chunk of chunks) chunk.resolve();
        break;
      } catch (error) {
        limits.on_error(error);
        const isOver = (chunk: Chunk) => !isRetriable(error) || chunk.deadline < performance.now();
        for (const chunk of chunks) if (isOver(chunk)) chunk.reject(error);
        chunks = chunks.filter((chunk) => !isOver(chunk));
      }
      if (chunks.length === 0) break;
      await sleep(backoffMs(limits.retry, attempt));
    }
    for (const chunk of taken) admission.leave(chunk);
  };

  const run = async () => {
    while (queue.length > 0) {
      // Who was just answered may publish again at once: one statement then carries both halves.
      await nextTurn();
      await write(take());
    }
    running = undefined;
  };

  const enqueue = (topic: string, records: readonly BusRecord[], load: Load, deadline: number) =>
    new Promise<void>((resolve, reject) => {
      const { messages, bytes } = load;
      queue.push({ topic, records, messages, bytes, deadline, resolve, reject });
      running ??= run();
    });

  return {
    async publish(topic, messages) {
      if (closed) throw new Error('the message bus is closed');
      topics.idOf(topic);
      const deadline = performance.now() + limits.publish_timeout_ms;
      const records = messages.map(recordOf);
      let from = 0;
      for (const load of loads(topic, messages)) {
        if (!admission.tryEnter(load)) await admission.enter(load, deadline);
        const isAll = load.messages === records.length;
        const part = isAll ? records : records.slice(from, from + load.messages);
        await enqueue(topic, part, load, deadline);
        from += load.messages;
      }
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

const NO_HEADERS = Object.freeze({});

const recordOf = ({ key, value, headers }: OutgoingMessage): BusRecord => ({
  key: key === null ? null : normalText(key),
  value: normalValue(value),
  headers: headers ?? NO_HEADERS,
});

/** How the messages are cut into what one statement carries; checks all before the first is sent. */
function loads(topic: string, messages: readonly OutgoingMessage[]): Load[] {
  const cut: Load[] = [];
  let count = 0;
  let bytes = 0;
  for (const message of messages) {
    const size = messageBytes(message);
    checkSize(topic, size);
    if (count === CALL_MESSAGES || (count > 0 && bytes + size > CALL_BYTES)) {
      cut.push({ messages: count, bytes });
      count = 0;
      bytes = 0;
    }
    count++;
    bytes += size;
  }
  if (count > 0) cut.push({ messages: count, bytes });
  return cut;
}

interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly records: BusRecord[];
}

/** The records of each partition, in their order, become one batch. */
function merge(topics: Topics, chunks: readonly Chunk[]): Batch[] {
  const byTopic = new Map<string, (Batch | undefined)[]>();
  const batches: Batch[] = [];
  for (const { topic, records } of chunks) {
    const places = byTopic.get(topic) ?? [];
    byTopic.set(topic, places);
    for (const record of records) {
      const partition = partitionOf(record.key, topics.partitions);
      const batch = places[partition];
      if (batch !== undefined) {
        batch.records.push(record);
        continue;
      }
      const first = { topic, partition, records: [record] };
      places[partition] = first;
      batches.push(first);
    }
  }
  return batches;
}

async function append(
  pool: pg.Pool,
  topics: Topics,
  chunks: readonly Chunk[],
  appended: OnAppended,
): Promise<void> {
  const batches = merge(topics, chunks);
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
    const { topic, partition, records } = batches[Number(r_index) - 1]!;
    appended({ topic, partition, base: Number(r_base), timestamp: r_at }, records);
  }
}
