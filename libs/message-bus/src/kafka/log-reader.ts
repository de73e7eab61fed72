import type { Batch, Broker } from 'kafkajs';
import BatchOf from 'kafkajs/src/consumer/batch.js';
import { OffsetLost } from './errors.js';
import type { Leaders } from './leaders.js';

/** Next offset to read, per partition. */
export type Offsets = Map<number, number>;

interface FetchLimits {
  /** How long the broker may wait for the first message. */
  readonly max_wait_ms: number;
  readonly max_bytes: number;
}

type PartitionData = ConstructorParameters<typeof BatchOf>[2];

const READ_COMMITTED = 1;

/**
 * One request to one leader, without a group. Leaves out empty batches, moves the offsets on. Throws
 * OffsetLost when the log does not hold an offset.
 */
export async function fetchFrom(
  broker: Broker,
  topic: string,
  offsets: Offsets,
  partitions: readonly number[],
  limits: FetchLimits,
): Promise<Batch[]> {
  const wanted = partitions.map((partition) => ({
    partition,
    fetchOffset: String(offsets.get(partition)),
    maxBytes: limits.max_bytes,
  }));
  const request = {
    isolationLevel: READ_COMMITTED,
    maxWaitTime: limits.max_wait_ms,
    minBytes: 1,
    maxBytes: limits.max_bytes,
    topics: [{ topic, partitions: wanted }],
  };
  const answer: { responses: readonly { partitions: readonly PartitionData[] }[] } = await broker
    .fetch(request)
    .catch((error: Error) => {
      throw error.name === 'KafkaJSOffsetOutOfRange' ? lost(topic, error) : error;
    });

  const batches: Batch[] = [];
  for (const data of answer.responses.flatMap((response) => response.partitions)) {
    if (data.messages.length === 0) continue;
    const batch = new BatchOf(topic, String(offsets.get(data.partition)), data);
    offsets.set(data.partition, Number(batch.lastOffset()) + 1);
    if (!batch.isEmpty()) batches.push(batch);
  }
  return batches;
}

const lost = (topic: string, cause: Error) =>
  new OffsetLost(`the log of ${topic} does not hold the offset to go on from`, { cause });

/** Partitions by the node that leads them; those that nobody leads are left out. */
export function byLeader(
  leaders: Leaders,
  topic: string,
  partitions: Iterable<number>,
): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const partition of partitions) {
    const leader = leaders.of(topic, partition);
    if (leader === undefined) continue;
    groups.set(leader, [...(groups.get(leader) ?? []), partition]);
  }
  return groups;
}
