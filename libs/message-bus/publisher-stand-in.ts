import type { Broker } from 'kafkajs';
import { keyIn, message as messageOf } from './contract-bench.js';
import type { Leaders } from './src/kafka/leaders.js';
import type { ProduceAnswer } from './src/kafka/produce-answer.js';
import type { PublisherSettings } from './src/kafka/publisher.js';
import type { OutgoingMessage } from './src/index.js';

export const PARTITIONS = 4;
export type Request = Parameters<Broker['produce']>[0];

/**
 * What a publisher sees of a cluster. Partition p is led by node p % nodes. Each request is answered by
 * the next script, or in full.
 */
export function standInLeaders(nodes = 1) {
  const requests: { node: number; request: Request }[] = [];
  const scripts: ((request: Request) => ProduceAnswer | Promise<ProduceAnswer>)[] = [];
  const recovered: unknown[] = [];
  const log = new Map<number, string[]>();
  const broker = (node: number) => ({
    async produce(request: Request) {
      requests.push({ node, request });
      const answer = await (scripts.shift() ?? inFull)(request);
      for (const { partition, messages } of parts(request)) {
        if (errorIn(answer, partition) !== 0) continue;
        log.set(partition, [
          ...(log.get(partition) ?? []),
          ...messages.map(({ value }) => String(value)),
        ]);
      }
      return answer;
    },
  });
  const leaders = {
    of: (_topic: string, partition: number) => partition % nodes,
    broker: async (node: number) => broker(node),
    recover: async (error: unknown) => void recovered.push(error),
  } as unknown as Leaders;
  return { leaders, requests, scripts, recovered, log };
}

export const parts = (request: Request) =>
  request.topicData.flatMap(({ partitions }) => partitions);

export const inFull = (request: Request): ProduceAnswer => ({
  topics: request.topicData.map(({ topic, partitions }) => ({
    topicName: topic,
    partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0, baseOffset: '0' })),
  })),
});

const errorIn = (answer: ProduceAnswer, partition: number) =>
  answer.topics.flatMap((topic) => topic.partitions).find((one) => one.partition === partition)
    ?.errorCode;

export const refusing = (partition: number, errorCode: number) => (request: Request) => {
  const answer = inFull(request);
  const change = (one: { partition: number; errorCode: number; baseOffset: string }) =>
    one.partition === partition ? { ...one, errorCode, baseOffset: '-1' } : one;
  return {
    topics: answer.topics.map((topic) => ({ ...topic, partitions: topic.partitions.map(change) })),
  };
};

export const settings: PublisherSettings = {
  retry: { min_ms: 1, max_ms: 5 },
  publish_timeout_ms: 5_000,
  max_queued_bytes: 10_000_000,
  close_timeout_ms: 10_000,
};

export const message = (partition: number, value: string): OutgoingMessage =>
  messageOf(keyIn(partition, PARTITIONS), value);
