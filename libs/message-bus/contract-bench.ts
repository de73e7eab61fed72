import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from './src/partitioner.js';
import type { MessageBus, OutgoingMessage, ReceivedMessage } from './src/port.js';

/** One broker, and ways to reach it and to hurt it. */
export interface Broker {
  /**
   * A connection of its own, as another process would have; makes the topics that are missing. Failed
   * deliveries are retried after 10 to 50 ms. At most MAX_QUEUED_BYTES wait to be published.
   */
  connect(topics: readonly string[], partitions: number): Promise<MessageBus>;
  /** Cuts a connection without a word to the broker, as when its process dies. */
  cut(bus: MessageBus): Promise<void>;
  /** Makes the members of a connection lose their partitions while their handlers run on. */
  evict(bus: MessageBus): Promise<void>;
  /** Closes every connection and ends the broker. */
  stop(): Promise<void>;
}

export const MAX_QUEUED_BYTES = 1_000_000;

/** Rules that some brokers cannot keep or be asked about. */
type Ability = 'gapless offsets' | 'eviction' | 'peaceful hand-over';

export interface Adapter {
  readonly name: string;
  start(): Promise<Broker>;
  /** Why this adapter is excused from the rules that need an ability. */
  readonly cannot?: Readonly<Partial<Record<Ability, string>>>;
  /** Longest time that any one rule may take. */
  readonly timeout_ms: number;
}

/** Defines a test, or says why there is none. */
export type DefineRule = (name: string, body: () => Promise<void>, needs?: Ability) => void;

export interface Bench {
  readonly rule: DefineRule;
  /** A topic that no other test uses. */
  readonly topic: () => string;
  readonly group: () => string;
  /** Another connection to the broker of the running test. */
  readonly connect: (topics: readonly string[], partitions?: number) => Promise<MessageBus>;
  readonly broker: () => Broker;
}

export const message = (key: string | null, value: string): OutgoingMessage => ({ key, value });

/** `prefix-0`, `prefix-1`, … all under one key. */
export const numbered = (key: string, count: number, from = 0): OutgoingMessage[] =>
  Array.from({ length: count }, (_, index) => message(key, `${key}-${from + index}`));

/** The first key, counting up, that goes into this partition. */
export function keyIn(partition: number, partitions: number): string {
  for (let n = 0; ; n++) if (partitionOf(`key${n}`, partitions) === partition) return `key${n}`;
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  // Without a hold on the process: a rule that failed must not keep it alive.
  while (!(await holds())) await sleep(5, undefined, { ref: false });
}

export async function scanned(bus: MessageBus, topic: string): Promise<ReceivedMessage[]> {
  const pages: ReceivedMessage[] = [];
  for await (const page of bus.scan(topic)) pages.push(...page);
  return pages;
}

/** Offset up to which the group is done, summed over the partitions of a topic. */
export async function committedSum(bus: MessageBus, group: string, topic: string): Promise<number> {
  const positions = await bus.positions(group, [topic]);
  return positions.reduce((sum, position) => sum + (position.committed ?? 0), 0);
}

export const coordinate = (received: ReceivedMessage): string =>
  `${received.topic}/${received.partition}/${received.offset}`;
