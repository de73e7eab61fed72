import { backoffMs, SHUTDOWN_MS, within, type Backoff } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker, Cluster } from 'kafkajs';
import { dropBroken } from './broker-patches.js';
import { fatalCause } from './errors.js';

/** Who leads which partition, kept up while leaders move. */
export interface Leaders {
  /** Node id; undefined while nobody leads or the topic is not known. */
  of(topic: string, partition: number): number | undefined;
  /** The connected broker. Rejects when it cannot be reached. */
  broker(node_id: number): Promise<Broker>;
  /** After a failed request: drops what is broken and asks anew who leads. Rejects when nobody answers. */
  recover(error: unknown): Promise<void>;
  /** Repeats what only reads, with recovery in between; rejects when it keeps failing. */
  repeat<T>(work: () => Promise<T>): Promise<T>;
  /** The offset at which each partition of the topic begins or ends now; NaN while nobody leads it. */
  logEdge(topic: string, edge: LogEdge): Promise<ReadonlyMap<number, number>>;
  /** Both. */
  logEnds(topic: string): Promise<LogEnds[]>;
  /** Does not wait long for what a broker has not answered. */
  close(): Promise<void>;
}

/**
 * `begin` is the first offset that is still there, `end` the one that the next message will get, open
 * transactions aside.
 */
export type LogEdge = 'begin' | 'end';

export type LogEnds = { readonly partition: number } & { readonly [edge in LogEdge]: number };

const MOST_ATTEMPTS = 8;
const CLOSE_TIMEOUT_MS = SHUTDOWN_MS / 8;

export async function openLeaders(
  cluster: Cluster,
  topics: readonly string[],
  retry: Backoff,
): Promise<Leaders> {
  try {
    await cluster.connect();
    await cluster.addMultipleTargetTopics([...topics]);
  } catch (error) {
    await cluster.disconnect();
    throw error;
  }
  let recovering: Promise<void> | undefined;
  let closed = false;

  const askAnew = async () => {
    try {
      await cluster.connect();
      await cluster.refreshMetadata();
    } catch (error) {
      dropBroken(cluster, error); // or it may be the one that is asked again
      throw error;
    }
  };
  const leaders: Leaders = {
    of(topic, partition) {
      if (closed) return undefined;
      const leader = cluster
        .findTopicPartitionMetadata(topic)
        .find(({ partitionId }) => partitionId === partition)?.leader;
      return leader === undefined || leader < 0 ? undefined : leader;
    },
    async broker(node_id) {
      await cluster.refreshMetadataIfNecessary();
      return cluster.findBroker({ nodeId: String(node_id) });
    },
    recover(error) {
      if (closed) return Promise.reject(new Error('the message bus is closed'));
      dropBroken(cluster, error);
      recovering ??= askAnew().finally(() => (recovering = undefined));
      return recovering;
    },
    async repeat(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await work();
        } catch (error) {
          if (attempt === MOST_ATTEMPTS || closed || fatalCause(error) !== undefined) throw error;
          await sleep(backoffMs(retry, attempt));
          await leaders.recover(error).catch(() => undefined);
        }
      }
    },
    async logEdge(topic, edge) {
      const partitions = cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId }) => ({ partition: partitionId }));
      const fromBeginning = edge === 'begin';
      const [found] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
      const offsets = found!.partitions as readonly { partition: number; offset: string | null }[];
      return new Map(
        offsets
          .toSorted((a, b) => a.partition - b.partition)
          .map(({ partition, offset }) => [partition, offset === null ? NaN : Number(offset)]),
      );
    },
    async logEnds(topic) {
      const [begins, ends] = await Promise.all([
        leaders.logEdge(topic, 'begin'),
        leaders.logEdge(topic, 'end'),
      ]);
      return [...ends].map(([partition, end]) => ({
        partition,
        begin: begins.get(partition)!,
        end,
      }));
    },
    async close() {
      closed = true;
      await within(CLOSE_TIMEOUT_MS, cluster.disconnect(), 'closing').catch(() => undefined);
    },
  };
  return leaders;
}
