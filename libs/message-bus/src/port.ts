import type { Instant } from '#libs/contracts';

/** Text when it is valid UTF-8, the bytes themselves when it is not, null when there is none. */
export type MessageValue = string | Buffer | null;

export interface OutgoingMessage {
  /** Decides the partition (murmur2, as Java does it); null goes to partition 0. */
  readonly key: string | null;
  readonly value: MessageValue;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ReceivedMessage {
  readonly topic: string;
  readonly partition: number;
  /** Counts up by one within (topic, partition) on the embedded bus; may skip on Kafka. */
  readonly offset: number;
  /** The broker's own time of the append, never the producer's. */
  readonly timestamp: Instant;
  readonly key: string | null;
  readonly value: MessageValue;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a handler may ask while it holds a batch. */
export interface BatchControl {
  /**
   * Call between the steps of long work. Rejects with OwnershipLost when this member has lost a
   * partition of the batch: stop, append nothing more, and let the error out unchanged. A consumer
   * that is closing still holds its partitions: it may finish the batch.
   */
  heartbeat(): Promise<void>;
  /**
   * Aborted when the member loses a partition of the batch, and when its consumer is closing: what
   * would wait long gives up and rejects, and the next member gets the batch.
   */
  readonly signal: AbortSignal;
}

/**
 * Gets messages of one or more assigned partitions, in offset order per (topic, partition).
 * Resolves when all of them are dealt with: only then are their offsets committed. Rejects = the whole
 * batch is delivered again, after a backoff, perhaps cut differently and perhaps to another member.
 */
type BatchHandler = (messages: readonly ReceivedMessage[], control: BatchControl) => Promise<void>;

export interface ConsumeOptions {
  readonly group: string;
  /** All with the same number of partitions; partition p of every topic goes to one member. */
  readonly topics: readonly string[];
  /** Most messages per handler call. */
  readonly max_batch: number;
  readonly handler: BatchHandler;
  /** Called for every failed delivery, with the error and how often in a row; for logs and metrics. */
  readonly on_failure?: (error: unknown, attempt: number) => void;
}

export interface Consumer {
  /** Partition numbers that this member holds now. */
  assigned(): readonly number[];
  /** Stops taking, waits for the batch in hand, commits what is decided, leaves the group. */
  close(): Promise<void>;
}

/**
 * Where a group stands on one partition. Lag is `end - committed`. While nobody leads the partition
 * nobody knows its log: `begin` and `end`, and so the lag, are NaN.
 */
export interface PartitionPosition {
  readonly topic: string;
  readonly partition: number;
  /** First offset that is still there. */
  readonly begin: number;
  /** Offset that the next message will get. */
  readonly end: number;
  /** Next offset that the group will read; null before its first commit. */
  readonly committed: number | null;
}

/** Messages that the group has not passed yet. */
export const lagOf = ({
  begin,
  end,
  committed,
}: Pick<PartitionPosition, 'begin' | 'end' | 'committed'>): number => end - (committed ?? begin);

/** The port to the message bus. Delivery is at least once; order holds per key. */
export interface MessageBus {
  /**
   * Resolves when every message is durable. Rejects when any may not be: publishing the same messages
   * again is then right, since every request is deduplicated by its request_id. Messages of one key
   * keep their order within a call and between calls that are awaited one after the other.
   */
  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Joins a group; starts at the committed offset, or at the beginning when there is none. */
  consume(options: ConsumeOptions): Promise<Consumer>;
  /**
   * Follows a topic from its end without a group: every caller gets every message that is published
   * after this resolves; of a partition that nobody led then, after its new leader was found. Nothing is
   * committed or redelivered; a handler that throws is reported.
   */
  tail(topic: string, handler: (messages: readonly ReceivedMessage[]) => void): Promise<Consumer>;
  /** Reads a topic from its beginning to where it ends at the time of the call; for audits. */
  scan(topic: string): AsyncIterable<readonly ReceivedMessage[]>;
  /** Of a moment that may lie before the call, when another has asked the same and is not answered yet. */
  positions(group: string, topics: readonly string[]): Promise<PartitionPosition[]>;
  close(): Promise<void>;
}

/** A handler's failure that is not of one partition: none of its lane goes on meanwhile. */
export class HoldsLane extends Error {
  override readonly name: string = 'HoldsLane';
}

/** This member no longer holds a partition that it worked on. */
export class OwnershipLost extends Error {
  override readonly name = 'OwnershipLost';
}
