import type { Broker } from 'kafkajs';
import { REQUEST_TIMEOUT_MS } from './connection.js';
import type { Part, PartitionQueue } from './partition-queue.js';
import { answerBehind, refusedTargets, type ProduceAnswer } from './produce-answer.js';

const PRODUCE_TIMEOUT_MS = REQUEST_TIMEOUT_MS - 5_000;

/** The queues whose messages are not known to be written, and why. */
export async function produce(
  broker: Broker,
  parts: readonly Part[],
): Promise<Map<PartitionQueue, Error>> {
  const request = { acks: -1, timeout: PRODUCE_TIMEOUT_MS, topicData: topicData(parts) };
  const answer: ProduceAnswer = await broker.produce(request).catch((error: unknown) => {
    const behind = answerBehind(error);
    if (behind === undefined) throw error;
    return behind;
  });
  return refusedTargets(
    answer,
    parts.map(({ queue }) => queue),
  );
}

function topicData(parts: readonly Part[]) {
  const partitionsOf = (topic: string) =>
    parts
      .filter(({ queue }) => queue.topic === topic)
      .map(({ queue, entries }) => ({
        partition: queue.partition,
        messages: entries.map(({ message }) => message),
      }));
  const topics = new Set(parts.map(({ queue }) => queue.topic));
  return [...topics].map((topic) => ({ topic, partitions: partitionsOf(topic) }));
}
