import type BatchOf from 'kafkajs/src/consumer/batch.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import './broker-patches.js';

/**
 * Between two fetches kafkajs sends a heartbeat, and when the group rebalances it waits for every fetch:
 * one broker that hangs would cost the member its place, and hold up the whole group (client hazard 19).
 */

type Batches = InstanceType<typeof BatchOf>[];

interface Fetching {
  /** Of the membership that it is for. */
  readonly count: number;
  readonly batches: Promise<Batches>;
}

interface Fetches {
  readonly under_way: Map<string, Fetching>;
  readonly waiting: Set<() => void>;
}

const fetches = new WeakMap<ConsumerGroup, Fetches>();
const fetchesOf = (group: ConsumerGroup): Fetches => {
  const found = fetches.get(group) ?? { under_way: new Map(), waiting: new Set() };
  fetches.set(group, found);
  return found;
};

/** Several fit into a session, so that its heartbeats are in time. */
const PATIENCE = 1 / 4;

/** What a node answers; nothing when that takes long: whoever asks again waits for the same answer. */
export async function fetchedInTime(
  group: ConsumerGroup,
  node_id: string,
  count: number,
  fetch: () => Promise<Batches>,
): Promise<Batches> {
  const { under_way, waiting } = fetchesOf(group);
  const before = under_way.get(node_id);
  const fetching = before?.count === count ? before : { count, batches: fetch() };
  under_way.set(node_id, fetching);
  const isOver = await new Promise<boolean>((resolve) => {
    const settle = (is_over: boolean) => {
      clearTimeout(timer);
      waiting.delete(interrupt);
      resolve(is_over);
    };
    const interrupt = () => settle(false);
    const timer = setTimeout(interrupt, group.sessionTimeout * PATIENCE);
    waiting.add(interrupt);
    const over = () => settle(true);
    fetching.batches.then(over, over);
  });
  if (!isOver) return [];
  if (under_way.get(node_id) === fetching) under_way.delete(node_id);
  return fetching.batches;
}

const { heartbeat } = ConsumerGroup.prototype;

/** One that fails ends the fetching, mostly because the group rebalances. */
ConsumerGroup.prototype.heartbeat = function (this: ConsumerGroup, options): Promise<void> {
  return heartbeat.call(this, options).catch((error: unknown) => {
    for (const interrupt of fetchesOf(this).waiting) interrupt();
    throw error;
  });
};
