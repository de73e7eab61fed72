import {
  accountKey,
  instantOf,
  PRICE_BOOK_ACCOUNT,
  REQUEST_TOPICS,
  TOPICS,
  type PriceBookPublishRequested,
} from '#libs/contracts';
import type { OutgoingMessage, ReceivedMessage } from '#libs/message-bus';
import type { Command } from '../ledger/model.js';
import { TENANT } from '../ledger/requests.js';
import type { Director } from './director.js';

const PARTITIONS = 3;

/** What a caller wants of an account ... */
export interface AccountPost {
  readonly account_id: string;
  readonly command: Command;
}
/** ... or of the price books, which the model knows nothing of. */
export type Post = AccountPost | { readonly publication: PriceBookPublishRequested };

export interface Delivered {
  readonly post: Post;
  readonly message: ReceivedMessage;
}

/** A partition of one topic of requests. */
export interface Log {
  readonly delivered: Delivered[];
  committed: number;
}

/** The same partition of both topics, which go to one member together. */
export interface Partition {
  readonly number: number;
  readonly logs: ReadonlyMap<string, Log>;
  /** Raised with every new holder: a commit under an older one is refused. */
  epoch: number;
  moved_at_ms: number;
}

/** The message bus as several processes see it. */
export interface Broker {
  readonly partitions: readonly Partition[];
  /** Publishes that are on their way, whatever became of who sent them. */
  sending: number;
  /** Per partition: what the writers have published. */
  readonly decisions: readonly ReceivedMessage[][];
  /** The number under which this is sent, which every request carries in its metadata. */
  numberOf(post: Post): number;
  /** Whether what was sent under this number is durable. */
  holds(attempt: number): boolean;
  /** Makes them durable. */
  append(topic: string, messages: readonly OutgoingMessage[]): void;
  /** Calls `ring` after every append, until the returned function is called. */
  watch(ring: () => void): () => void;
  /** Requests that are durable and not committed. */
  backlog(): number;
}

/** `written` is told of everything that the writers make durable, just after that. */
export function newBroker(
  director: Director,
  written: (topic: string, message: OutgoingMessage) => void,
): Broker {
  const partitions = Array.from({ length: PARTITIONS }, (_, number) => ({
    number,
    logs: new Map(
      REQUEST_TOPICS.map((topic): [string, Log] => [topic, { delivered: [], committed: 0 }]),
    ),
    epoch: 0,
    moved_at_ms: 0,
  }));
  const decisions = partitions.map((): ReceivedMessage[] => []);
  const logs = partitions.flatMap((partition) => [...partition.logs.values()]);
  const posts: Post[] = [];
  const durable = new Set<number>();
  const rings = new Set<() => void>();

  const appendRequest = (topic: string, outgoing: OutgoingMessage) => {
    const attempt = attemptOf(outgoing);
    const partition = partitionOf(outgoing);
    const { delivered } = partitions[partition]!.logs.get(topic)!;
    const stamp_ms = director.now() + director.brokerSkew();
    const message = received(topic, partition, outgoing, delivered.length, stamp_ms);
    delivered.push({ post: posts[attempt]!, message });
    durable.add(attempt);
  };

  const append = (topic: string, outgoing: OutgoingMessage) => {
    if (topic === TOPICS.usage || topic === TOPICS.requests) return appendRequest(topic, outgoing);
    if (topic === TOPICS.decisions) {
      const partition = partitionOf(outgoing);
      const log = decisions[partition]!;
      log.push(received(topic, partition, outgoing, log.length, director.now()));
    }
    written(topic, outgoing);
  };

  return {
    partitions,
    sending: 0,
    decisions,
    numberOf: (post) => posts.push(post) - 1,
    holds: (attempt) => durable.has(attempt),
    append(topic, messages) {
      for (const message of messages) append(topic, message);
      for (const ring of rings) ring();
    },
    watch(ring) {
      rings.add(ring);
      return () => rings.delete(ring);
    },
    backlog: () =>
      logs.reduce((sum, { delivered, committed }) => sum + delivered.length - committed, 0),
  };
}

/** The number under which a request was sent. */
export const attemptOf = ({ value }: Pick<OutgoingMessage, 'value'>): number => {
  const { metadata } = JSON.parse(String(value)) as { metadata: { attempt: string } };
  return Number(metadata.attempt);
};

/** By the account's last digit. The price books share theirs with an account. */
const partitionOf = ({ key }: OutgoingMessage): number =>
  key === accountKey(TENANT, PRICE_BOOK_ACCOUNT) ? 1 : Number(key!.at(-1)) % PARTITIONS;

const received = (
  topic: string,
  partition: number,
  { key, value, headers = {} }: OutgoingMessage,
  offset: number,
  stamp_ms: number,
): ReceivedMessage => ({
  topic,
  partition,
  offset,
  timestamp: instantOf(stamp_ms),
  key,
  value,
  headers,
});
