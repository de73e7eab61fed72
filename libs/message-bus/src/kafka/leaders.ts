import { backoffMs, type Backoff } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker, Cluster } from 'kafkajs';
import { fatalCause } from './errors.js';

/** Who leads which partition, kept up while leaders move. */
export interface Leaders {
  /** Node id; undefined while nobody leads or the topic is not known. */
  of(topic: string, partition: number): number | undefined;
  /** The connected broker. Rejects when it cannot be reached. */
  broker(node_id: number): Promise<Broker>;
  /** After a failed request: drops what is broken and asks anew who leads. Rejects when nobody answers. */
  recover(error: unknown, broker?: Broker): Promise<void>;
  /** Repeats what only reads, with recovery in between; rejects when it keeps failing. */
  repeat<T>(work: () => Promise<T>): Promise<T>;
  /** The offset at which each partition of the topic begins or ends now. */
  logEdge(topic: string, edge: LogEdge): Promise<ReadonlyMap<number, number>>;
  /** Both. */
  logEnds(topic: string): Promise<LogEnds[]>;
  close(): Promise<void>;
}

/**
 * `begin` is the first offset that is still there, `end` the one that the next message will get, open
 * transactions aside.
 */
export type LogEdge = 'begin' | 'end';

export type LogEnds = { readonly partition: number } & { readonly [edge in LogEdge]: number };

const MOST_ATTEMPTS = 8;

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
    await cluster.connect();
    await cluster.refreshMetadata();
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
    recover(error, broker) {
      const address = brokenAddress(error);
      if (address !== undefined) {
        cluster.removeBroker(address);
        // A broker that never answers keeps its connection: it is left to itself.
        void broker?.disconnect().catch(() => undefined);
      }
      recovering ??= askAnew().finally(() => (recovering = undefined));
      return recovering;
    },
    async repeat(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await work();
        } catch (error) {
          if (attempt === MOST_ATTEMPTS || fatalCause(error) !== undefined) throw error;
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
      return new Map(
        found!.partitions
          .toSorted((a, b) => a.partition - b.partition)
          .map(({ partition, offset }) => [partition, Number(offset)]),
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
    close() {
      closed = true;
      return cluster.disconnect();
    },
  };
  return leaders;
}

/** The broker whose connection cannot be used any more, from what kafkajs says in its error. */
function brokenAddress(error: unknown): { host: string; port: number } | undefined {
  const { name, broker } = error as { name?: string; broker?: string };
  const broken = name === 'KafkaJSConnectionClosedError' || name === 'KafkaJSRequestTimeoutError';
  const colon = broker?.lastIndexOf(':') ?? -1;
  if (!broken || broker === undefined || colon < 0) return undefined;
  return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
}
