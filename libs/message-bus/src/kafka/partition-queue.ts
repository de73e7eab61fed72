import type { Message } from 'kafkajs';
import type { Admission } from '../admission.js';
import { MAX_MESSAGE_BYTES } from '../message-value.js';

/** A call of publish: settled when its last message is durable, or the first one is given up. */
export interface Call {
  /** Messages that are not durable yet. */
  open: number;
  failure: Error | undefined;
  /** Why the last attempt to write one of its messages, or one before them, failed. */
  trouble: Error | undefined;
  readonly deadline_ms: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface Entry {
  readonly call: Call;
  readonly message: Message;
  readonly bytes: number;
}

/** What waits for one partition, in order. Only one request at a time carries its messages. */
export interface PartitionQueue {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly room: Admission;
  entries: Entry[];
  in_flight: boolean;
  failures: number;
}

/** What one request carries of one queue. */
export interface Part {
  readonly queue: PartitionQueue;
  readonly entries: readonly Entry[];
}

export const RECORD_OVERHEAD_BYTES = 40;
// A broker takes a batch of at most 1,048,588 bytes per partition by default.
const MAX_BATCH_BYTES = MAX_MESSAGE_BYTES + RECORD_OVERHEAD_BYTES;
const MAX_REQUEST_BYTES = 8_000_000;

/** From the front of each queue what fits into one batch, as far as all fit into one request. */
export function takeParts(queues: readonly PartitionQueue[]): Part[] {
  const parts: Part[] = [];
  let left = MAX_REQUEST_BYTES;
  for (const queue of queues) {
    const entries = batchAt(queue.entries, 0, left);
    if (entries.length === 0) continue;
    queue.entries = queue.entries.slice(entries.length);
    left -= bytesOf(entries);
    parts.push({ queue, entries });
  }
  return parts;
}

/** What fits into one batch from this index on. */
export function batchAt(
  entries: readonly Entry[],
  from: number,
  room = MAX_BATCH_BYTES,
): readonly Entry[] {
  let left = Math.min(room, MAX_BATCH_BYTES);
  let end = from;
  while (end < entries.length && entries[end]!.bytes <= left) left -= entries[end++]!.bytes;
  return from === 0 && end === entries.length ? entries : entries.slice(from, end);
}

export const bytesOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { bytes }) => sum + bytes, 0);
