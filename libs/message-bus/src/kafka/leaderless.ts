import type { Cluster as ClusterView } from 'kafkajs';
import Cluster from 'kafkajs/src/cluster/index.js';
import response from 'kafkajs/src/protocol/requests/metadata/v6/response.js';

// A patch of another version would change what nobody has read.
if (typeof Cluster.prototype.fetchTopicsOffset !== 'function')
  throw new Error('kafkajs is not 2.2.4: Cluster has no fetchTopicsOffset');
if (typeof response.parse !== 'function')
  throw new Error('kafkajs is not 2.2.4: the answer about metadata has no parse');

const LEADER_NOT_AVAILABLE = 5;
const LISTENER_NOT_FOUND = 72;
const LEADERLESS = new Set([LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND]);

const { parse } = response;
const { fetchTopicsOffset } = Cluster.prototype;

/**
 * kafkajs throws the whole answer away when one partition has no leader: a minute later nothing is read
 * or published any more, of any partition (client hazard 18).
 */
response.parse = async (answer) => {
  const topicMetadata = answer.topicMetadata.map((topic) => ({
    ...topic,
    partitionMetadata: topic.partitionMetadata.filter(
      ({ partitionErrorCode }) => !LEADERLESS.has(partitionErrorCode),
    ),
  }));
  await parse({ ...answer, topicMetadata });
  return answer;
};

/**
 * Nobody can say where a log without a leader begins or ends: null. A member of a group looks for that
 * again, and fetches nothing of the partition before it knows; kafkajs would fetch nothing at all.
 */
Cluster.prototype.fetchTopicsOffset = async function (this: Cluster, topics) {
  const led = topics
    .map((one) => ({
      ...one,
      partitions: one.partitions.filter(({ partition }) => isLed(this, one.topic, partition)),
    }))
    .filter(({ partitions }) => partitions.length > 0);
  const found = led.length === 0 ? [] : await fetchTopicsOffset.call(this, led);
  const offsets = new Map(
    found.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => [`${topic}/${partition}`, offset] as const),
    ),
  );
  return topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({
      partition,
      offset: offsets.get(`${topic}/${partition}`) ?? null,
    })),
  }));
};

type Metadata = Pick<ClusterView, 'findTopicPartitionMetadata'>;

const isLed = (cluster: Metadata, topic: string, partition: number): boolean =>
  cluster
    .findTopicPartitionMetadata(topic)
    .every(({ partitionId, leader }) => partitionId !== partition || leader >= 0);

/** `topic/partition` of those that nobody leads, as far as is known. */
export const leaderless = (
  cluster: Metadata,
  wanted: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): string[] =>
  wanted.flatMap(({ topic, partitions }) =>
    partitions
      .filter((partition) => !isLed(cluster, topic, partition))
      .map((partition) => `${topic}/${partition}`),
  );
