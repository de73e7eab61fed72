import type { Backoff } from '#libs/platform';
import type { Kafka } from 'kafkajs';
import { openConsumers } from '../delivery/open-consumers.js';
import type { ConsumeOptions, MessageBus, OutgoingMessage, ReceivedMessage } from '../port.js';
import { clusterOf, type KafkaConnection, reach, withAdmin } from './connection.js';
import { CLOSE_TIMEOUT_MS, startConsumer } from './consumer.js';
import { openLeaders } from './leaders.js';
import { positionsOf, requireReadable, sharedPositions } from './positions.js';
import { createPublisher } from './publisher.js';
import { scanTopic } from './scan.js';
import { startTail } from './tail.js';
import { requireTopics } from './topics.js';

export interface KafkaBusOptions {
  readonly connection: KafkaConnection;
  /** Topics that will be used. Each must exist, with the settings of topics.ts. */
  readonly topics: readonly string[];
  /** Partitions that each of them must have. */
  readonly partitions: number;
  /**
   * Called with what no restart can fix: an offset that the log has lost, another number of partitions, no
   * right to read. The consumer has ended; the process should too, so that somebody looks.
   */
  readonly on_fatal: (error: Error) => void;
  /** Told what a tail's handler throws and what disturbs a tail. */
  readonly on_error?: (error: unknown) => void;
  /** A member of a group that the broker has not heard of for so long loses its partitions. */
  readonly session_timeout_ms: number;
  readonly retry?: Backoff;
  /** Handler calls per consumer that may run at the same time, each over its own partitions. */
  readonly lanes?: number;
  readonly commit_interval_ms?: number;
  readonly hand_over_ms?: number;
  readonly close_timeout_ms?: number;
  /** Longest time from publish to its answer, over outages and a full queue. */
  readonly publish_timeout_ms?: number;
  readonly max_queued_bytes?: number;
}

const DEFAULTS = {
  retry: { min_ms: 100, max_ms: 10_000 },
  lanes: 1,
  commit_interval_ms: 100,
  hand_over_ms: 10_000,
  close_timeout_ms: CLOSE_TIMEOUT_MS,
  publish_timeout_ms: 30_000,
  max_queued_bytes: 64_000_000,
  on_error: (error: unknown) => process.emitWarning(`message bus: ${String(error)}`),
};
const POSITIONS_TIMEOUT_MS = 10_000;

/**
 * The message bus on a Kafka cluster. Rejects with TopicUnfit when a topic is missing, has another
 * number of partitions or bears its producers' times (F18).
 */
export async function kafkaMessageBus(options: KafkaBusOptions): Promise<MessageBus> {
  const settings = { ...DEFAULTS, ...options };
  const { connection, topics, partitions, retry, on_error } = settings;
  await withAdmin(connection, (admin) => requireTopics(admin, topics, partitions));
  const findLeaders = (wanted: readonly string[]) =>
    reach(connection, async (client) => {
      const cluster = clusterOf(client);
      return { cluster, leaders: await openLeaders(cluster, wanted, retry) };
    });
  const { cluster, leaders } = await findLeaders(topics);
  const publisher = createPublisher(leaders, {
    retry,
    publish_timeout_ms: settings.publish_timeout_ms,
    max_queued_bytes: settings.max_queued_bytes,
    close_timeout_ms: settings.close_timeout_ms / 2,
  });
  const consumers = openConsumers();
  let closed = false;

  const open = (wanted: readonly string[]) => {
    if (closed) throw new Error('the message bus is closed');
    const unknown = wanted.find((topic) => !topics.includes(topic));
    if (unknown !== undefined) throw new Error(`no such topic: ${unknown}`);
  };
  const look = (group: string, wanted: readonly string[]) =>
    leaders.repeat(() => positionsOf(cluster, leaders, group, wanted));
  const positions = sharedPositions(look, POSITIONS_TIMEOUT_MS);

  return {
    async publish(topic: string, messages: readonly OutgoingMessage[]) {
      open([topic]);
      await publisher.publish(topic, partitions, messages);
    },
    async consume(wanted: ConsumeOptions) {
      open(wanted.topics);
      requireReadable(wanted.group, await look(wanted.group, wanted.topics));
      const start = (client: Kafka) => startConsumer(client, { ...settings, ...wanted });
      return consumers.keep(await reach(connection, start));
    },
    async tail(topic: string, handler: (messages: readonly ReceivedMessage[]) => void) {
      open([topic]);
      const { leaders: own } = await findLeaders([topic]);
      return consumers.keep(await startTail(own, { topic, handler, on_error, retry }));
    },
    async *scan(topic: string) {
      open([topic]);
      const { leaders: own } = await findLeaders([topic]);
      try {
        yield* scanTopic(own, topic);
      } finally {
        await own.close();
      }
    },
    positions(group: string, wanted: readonly string[]) {
      open(wanted);
      return positions(group, wanted);
    },
    async close() {
      closed = true;
      await consumers.close();
      await publisher.close();
      await leaders.close();
    },
  };
}
