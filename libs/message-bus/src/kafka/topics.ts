import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { TOPICS } from '#libs/contracts';
import type { PARTITION_COUNTS } from '#libs/platform';
import { TopicsRefused, TopicUnfit } from './errors.js';

export interface TopicPlan {
  readonly topic: string;
  /** Fixed for life: another number sends keys to other partitions. */
  readonly partitions: number;
  readonly retention_ms: number;
}

const DAY_MS = 24 * 60 * 60_000;

/**
 * Requests and usage stay longer than any outage of the writer may last: what retention takes before it
 * was read is lost usage. In the same window `reconcile verify` can hold every decision against its
 * message. Dead letters carry their original bytes and go by the same rule; a decision can be had
 * again from its stream, so a week is enough for whoever listens.
 */
const RETENTION_DAYS = {
  [TOPICS.usage]: 30,
  [TOPICS.requests]: 30,
  [TOPICS.dead_letters]: 30,
  [TOPICS.decisions]: 7,
};

/** Every topic of the ledger, all with one number of partitions. */
export const ledgerTopics = (partitions: (typeof PARTITION_COUNTS)[number]): TopicPlan[] =>
  Object.entries(RETENTION_DAYS).map(([topic, days]) => ({
    topic,
    partitions,
    retention_ms: days * DAY_MS,
  }));

/** What a topic must have whatever it is for; a start refuses another. */
const ESSENTIAL = {
  // Decisions take their time from the broker, never from a producer.
  'message.timestamp.type': 'LogAppendTime',
  // Compaction would drop requests.
  'cleanup.policy': 'delete',
  // kafkajs reads gzip and nothing else: the broker unpacks what other producers pack.
  'compression.type': 'uncompressed',
  // A replica that was behind must not become the log.
  'unclean.leader.election.enable': 'false',
};

const settingsOf = (plan: TopicPlan, copies: number): Record<string, string> => ({
  ...ESSENTIAL,
  'retention.ms': String(plan.retention_ms),
  'retention.bytes': '-1',
  'max.message.bytes': '1048588',
  'min.insync.replicas': String(leastInSync(copies)),
});

const leastInSync = (copies: number) => (copies > 2 ? 2 : 1);

/**
 * Makes the topics that are missing, and answers their names; leaves the others as they are. Rejects with
 * TopicsRefused when a broker will not.
 */
export async function createTopics(
  admin: Admin,
  plans: readonly TopicPlan[],
  copies: number,
): Promise<string[]> {
  const there = new Set(await admin.listTopics());
  const missing = plans.filter(({ topic }) => !there.has(topic));
  const request = {
    waitForLeaders: false, // it is waited for below
    topics: missing.map((plan) => ({
      topic: plan.topic,
      numPartitions: plan.partitions,
      replicationFactor: copies,
      configEntries: Object.entries(settingsOf(plan, copies)).map(([name, value]) => ({
        name,
        value,
      })),
    })),
  };
  await admin.createTopics(request).catch((error: unknown) => {
    throw refusalsOf(error) ?? error;
  });
  await untilLed(admin, missing);
  return missing.map(({ topic }) => topic);
}

const LEADER_PAUSE_MS = 100;
const LEADER_PATIENCE_MS = 5_000;

/** kafkajs would have waited, were an answer without a leader an error; it is none (client hazard 18). */
async function untilLed(admin: Admin, plans: readonly TopicPlan[]): Promise<void> {
  const topics = plans.map(({ topic }) => topic);
  const until = performance.now() + LEADER_PATIENCE_MS;
  while (topics.length > 0) {
    const found = await admin.fetchTopicMetadata({ topics }).catch(() => undefined);
    const all = found?.topics.flatMap(({ partitions }) => partitions);
    if (all?.every(({ leader }) => leader >= 0)) return;
    if (performance.now() > until) throw new Error(`nobody leads all of ${topics.join(', ')}`);
    await sleep(LEADER_PAUSE_MS);
  }
}

/** kafkajs itself only says that there were errors. */
function refusalsOf(error: unknown): TopicsRefused | undefined {
  if ((error as Error).name !== 'KafkaJSAggregateError') return undefined;
  const { errors } = error as { errors: readonly (Error & { topic: string; type: string })[] };
  const refusals = errors.map(({ topic, type, message: reason }) => ({ topic, type, reason }));
  return new TopicsRefused(refusals, { cause: error });
}

interface Topic {
  readonly partitions: number;
  /** Smallest number of copies of a partition. */
  readonly copies: number;
  readonly settings: ReadonlyMap<string, string>;
}

/** Throws TopicUnfit when a topic is missing or not what the ledger can work with (F18). */
export async function requireTopics(
  admin: Admin,
  topics: readonly string[],
  partitions: number,
): Promise<void> {
  const found = await describeTopics(admin, topics);
  const faults = topics.flatMap((topic) =>
    faultsOf(topic, found.get(topic), partitions, ESSENTIAL),
  );
  if (faults.length > 0) throw new TopicUnfit(faults.join('; '));
}

/** One sentence for everything in which the topics differ from the plans. */
export async function topicFaults(admin: Admin, plans: readonly TopicPlan[]): Promise<string[]> {
  const topics = plans.map(({ topic }) => topic);
  const found = await describeTopics(admin, topics);
  return plans.flatMap((plan) => {
    const topic = found.get(plan.topic);
    return faultsOf(plan.topic, topic, plan.partitions, settingsOf(plan, topic?.copies ?? 1));
  });
}

function faultsOf(
  name: string,
  topic: Topic | undefined,
  partitions: number,
  settings: Readonly<Record<string, string>>,
): string[] {
  if (topic === undefined) return [`there is no topic ${name}`];
  const faults = Object.entries(settings)
    .map(([setting, wanted]) => ({ setting, wanted, has: topic.settings.get(setting) }))
    .filter(({ wanted, has }) => has !== wanted)
    .map(({ setting, wanted, has }) => `${name} has ${setting}=${has}, not ${wanted}`);
  if (topic.partitions !== partitions)
    faults.push(`${name} has ${topic.partitions} partitions, not ${partitions}`);
  return faults;
}

async function describeTopics(admin: Admin, names: readonly string[]): Promise<Map<string, Topic>> {
  const there = new Set(await admin.listTopics());
  const topics = names.filter((name) => there.has(name));
  if (topics.length === 0) return new Map();
  const { default: kafkajs } = await import('kafkajs');
  const metadata = await admin.fetchTopicMetadata({ topics });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  const settings = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  return new Map(
    metadata.topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        copies: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: settings.get(name) ?? new Map<string, string>(),
      },
    ]),
  );
}
