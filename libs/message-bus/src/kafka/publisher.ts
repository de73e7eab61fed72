import { backoffMs, within, type Backoff } from '#libs/platform';
import type { Broker, Message } from 'kafkajs';
import { checkSize, MAX_MESSAGE_BYTES, messageBytes } from '../message-value.js';
import { partitionOf } from '../partitioner.js';
import type { OutgoingMessage } from '../port.js';
import { REQUEST_TIMEOUT_MS } from './connection.js';
import { fatalCause } from './errors.js';
import type { Leaders } from './leaders.js';
import { answerBehind, refusedTargets, type ProduceAnswer } from './produce-answer.js';

export interface PublisherSettings {
  readonly retry: Backoff;
  /** A message that is not durable after this long is given up; it may still be written. */
  readonly give_up_after_ms: number;
  /** Most bytes that may wait; beyond it a call is refused at once. */
  readonly max_waiting_bytes: number;
  /** A close gives up what is not durable after this long. */
  readonly close_timeout_ms: number;
}

interface Publisher {
  publish(topic: string, partitions: number, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Takes nothing more; resolves when what waits is durable or given up. */
  close(): Promise<void>;
}

/** A call of publish, settled when its last message is. */
interface Call {
  open: number;
  failure: Error | undefined;
  readonly deadline_ms: number;
  readonly settle: () => void;
}

interface Entry {
  readonly call: Call;
  readonly message: Message;
  readonly bytes: number;
}

/** What waits for one partition, in order. Only one request at a time carries its messages. */
interface Lane {
  readonly topic: string;
  readonly partition: number;
  entries: Entry[];
  in_flight: boolean;
  failures: number;
}

const RECORD_OVERHEAD_BYTES = 40;
// A broker takes a batch of at most 1,048,588 bytes per partition by default.
const MAX_BATCH_BYTES = MAX_MESSAGE_BYTES + RECORD_OVERHEAD_BYTES;
const MAX_REQUEST_BYTES = 8_000_000;
/** Stands for the leader of what nobody leads: its requests fail and come again. */
const NOBODY = -1;
const PRODUCE_TIMEOUT_MS = REQUEST_TIMEOUT_MS - 5_000;

/**
 * One request at a time per leader, and in it whatever waits for the partitions that it leads. So one
 * round trip is shared by all callers, a request never spans leaders (client hazard 1), and there is
 * no producer id whose sequence could be reused (client hazard 2).
 */
export function createPublisher(leaders: Leaders, settings: PublisherSettings): Publisher {
  const lanes = new Map<string, Lane>();
  const busy = new Set<number>();
  const calls = new Set<Call>();
  let waiting_bytes = 0;
  let scheduled = false;
  let closing: (() => void) | undefined;

  const laneOf = (topic: string, partition: number): Lane => {
    const name = `${topic}/${partition}`;
    const found = lanes.get(name);
    if (found !== undefined) return found;
    const entries: Entry[] = [];
    const lane = { topic, partition, entries, in_flight: false, failures: 0 };
    lanes.set(name, lane);
    return lane;
  };

  const settle = (entry: Entry, failure?: Error) => {
    waiting_bytes -= entry.bytes;
    entry.call.open--;
    entry.call.failure ??= failure;
    if (entry.call.open === 0) entry.call.settle();
    if (closing !== undefined && waiting_bytes === 0) closing();
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
    const per_leader = new Map<number, Lane[]>();
    for (const lane of lanes.values()) {
      if (lane.in_flight || lane.entries.length === 0) continue;
      const leader = leaders.of(lane.topic, lane.partition) ?? NOBODY;
      per_leader.set(leader, [...(per_leader.get(leader) ?? []), lane]);
    }
    for (const [leader, ready] of per_leader) if (!busy.has(leader)) void send(leader, ready);
  };

  const send = async (leader: number, ready: readonly Lane[]) => {
    const parts = takeParts(ready, settle);
    if (parts.length === 0) return;
    busy.add(leader);
    for (const { lane } of parts) lane.in_flight = true;
    let refused: Map<Lane, Error>;
    let is_answer = true;
    try {
      refused = await produce(await leaders.broker(leader), parts);
    } catch (error) {
      refused = new Map(parts.map(({ lane }) => [lane, error as Error]));
      is_answer = false;
    }
    busy.delete(leader);
    const failed: Part[] = [];
    for (const part of parts) {
      const why = refused.get(part.lane);
      if (why === undefined) written(part);
      else if (isFinal(why, is_answer)) giveUp(part, why);
      else failed.push(part);
    }
    schedule();
    if (failed.length > 0) await sendAgain(failed, refused);
  };

  const written = ({ lane, entries }: Part) => {
    lane.in_flight = false;
    lane.failures = 0;
    // To the end of the line: when not all fit into a request, the others come first.
    lanes.delete(nameOf(lane));
    lanes.set(nameOf(lane), lane);
    for (const entry of entries) settle(entry);
  };

  const giveUp = ({ lane, entries }: Part, why: Error) => {
    lane.in_flight = false;
    for (const entry of entries) settle(entry, why);
  };

  /** The same messages, after a pause, until their time is up. */
  const sendAgain = async (parts: readonly Part[], why: ReadonlyMap<Lane, Error>) => {
    const now_ms = performance.now();
    for (const { lane, entries } of parts) {
      const error = why.get(lane)!;
      const isOver = ({ call }: Entry) => call.deadline_ms <= now_ms;
      lane.entries = [...entries.filter((entry) => !isOver(entry)), ...lane.entries];
      for (const entry of entries.filter(isOver)) settle(entry, error);
      lane.failures++;
    }
    const attempt = Math.max(...parts.map(({ lane }) => lane.failures));
    await new Promise((resolve) => setTimeout(resolve, backoffMs(settings.retry, attempt)));
    await leaders.recover(why.get(parts[0]!.lane)).catch(() => undefined);
    for (const { lane } of parts) lane.in_flight = false;
    schedule();
  };

  return {
    async publish(topic, partitions, messages) {
      if (closing !== undefined) throw new Error('the message bus is closed');
      const sized = messages.map((message) => ({ message, bytes: messageBytes(message) }));
      for (const { bytes } of sized) checkSize(topic, bytes);
      const total = sized.reduce((sum, { bytes }) => sum + bytes + RECORD_OVERHEAD_BYTES, 0);
      if (waiting_bytes + total > settings.max_waiting_bytes)
        throw new Error(`${waiting_bytes} bytes wait to be published: too many for more`);
      if (messages.length === 0) return;

      waiting_bytes += total;
      await new Promise<void>((resolve, reject) => {
        const call: Call = {
          open: messages.length,
          failure: undefined,
          deadline_ms: performance.now() + settings.give_up_after_ms,
          settle: () => {
            calls.delete(call);
            if (call.failure === undefined) resolve();
            else reject(call.failure);
          },
        };
        calls.add(call);
        for (const { message, bytes } of sized) {
          const lane = laneOf(topic, partitionOf(message.key, partitions));
          lane.entries.push({
            call,
            message: wireMessage(message),
            bytes: bytes + RECORD_OVERHEAD_BYTES,
          });
        }
        schedule();
      });
    },
    async close() {
      const idle = new Promise<void>((resolve) => (closing = resolve));
      if (waiting_bytes === 0) return;
      await within(settings.close_timeout_ms, idle, 'closed before it was durable').catch(
        (error: Error) => {
          for (const call of calls) {
            call.failure ??= error;
            call.settle();
          }
        },
      );
    },
  };
}

interface Part {
  readonly lane: Lane;
  readonly entries: readonly Entry[];
}

/** From the front of each lane what fits into one batch; what belongs to a failed call is dropped. */
function takeParts(lanes: readonly Lane[], settle: (entry: Entry) => void): Part[] {
  const parts: Part[] = [];
  let left = MAX_REQUEST_BYTES;
  for (const lane of lanes) {
    const dead = lane.entries.filter(({ call }) => call.failure !== undefined);
    if (dead.length > 0) {
      lane.entries = lane.entries.filter(({ call }) => call.failure === undefined);
      for (const entry of dead) settle(entry);
    }
    const count = countThatFit(lane.entries, Math.min(left, MAX_BATCH_BYTES));
    if (count === 0) continue;
    const entries = lane.entries.slice(0, count);
    lane.entries = lane.entries.slice(count);
    for (const { bytes } of entries) left -= bytes;
    parts.push({ lane, entries });
  }
  return parts;
}

function countThatFit(entries: readonly Entry[], room: number): number {
  let bytes = 0;
  const first_too_much = entries.findIndex((entry) => (bytes += entry.bytes) > room);
  return first_too_much === -1 ? entries.length : first_too_much;
}

/**
 * What a broker answers for good stays so. Without an answer only what needs a person is final: kafkajs
 * calls even a refused connection not retriable.
 */
const isFinal = (error: Error, is_answer: boolean): boolean =>
  fatalCause(error) !== undefined ||
  (is_answer && (error as { retriable?: boolean }).retriable === false);

/** The lanes whose messages are not known to be written, and why. */
async function produce(broker: Broker, parts: readonly Part[]): Promise<Map<Lane, Error>> {
  const request = { acks: -1, timeout: PRODUCE_TIMEOUT_MS, topicData: topicData(parts) };
  const answer: ProduceAnswer = await broker.produce(request).catch((error: unknown) => {
    const behind = answerBehind(error);
    if (behind === undefined) throw error;
    return behind;
  });
  return refusedTargets(
    answer,
    parts.map(({ lane }) => lane),
  );
}

function topicData(parts: readonly Part[]) {
  const partitionsOf = (topic: string) =>
    parts
      .filter(({ lane }) => lane.topic === topic)
      .map(({ lane, entries }) => ({
        partition: lane.partition,
        messages: entries.map(({ message }) => message),
      }));
  const topics = new Set(parts.map(({ lane }) => lane.topic));
  return [...topics].map((topic) => ({ topic, partitions: partitionsOf(topic) }));
}

const nameOf = ({ topic, partition }: Lane) => `${topic}/${partition}`;

function wireMessage({ key, value, headers }: OutgoingMessage): Message {
  return headers === undefined ? { key, value } : { key, value, headers };
}
