import type { Assigner, Batch, OffsetsByTopicPartition } from 'kafkajs';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { OffsetLost } from './errors.js';

/** What one member of a group knows and does while it holds its partitions. */
export interface Membership {
  readonly partitions: ReadonlyMap<string, readonly number[]>;
  /** Sends a heartbeat now. Rejects when the group rebalances or has forgotten this member. */
  heartbeat(): Promise<void>;
  /** One attempt, under the generation that is in force when it is called. */
  commit(offsets: OffsetsByTopicPartition): Promise<void>;
}

/** What kafkajs does not tell: it has no callback before partitions are taken away. */
export interface GroupHooks {
  /** Awaited before the member joins (again). `held` is undefined when all is lost already. */
  beforeJoin(held: Pick<Membership, 'heartbeat'> | undefined): Promise<void>;
  joined(membership: Membership): void;
}

/** An assigner that carries the hooks of the consumer that it was made for. */
export interface HookedAssigner extends Assigner {
  readonly hooks: GroupHooks;
}

// A patch of another version would change what nobody has read.
for (const method of [
  'joinAndSync',
  'fetch',
  'recoverFromOffsetOutOfRange',
  'heartbeat',
] as const) {
  if (typeof ConsumerGroup.prototype[method] !== 'function')
    throw new Error(`kafkajs is not 2.2.4: ConsumerGroup has no ${method}`);
}
if (typeof RequestQueue.prototype.scheduleCheckPendingRequests !== 'function')
  throw new Error('kafkajs is not 2.2.4: RequestQueue has no scheduleCheckPendingRequests');

const hooksOf = (group: ConsumerGroup) =>
  group.assigners.find((one): one is HookedAssigner => 'hooks' in one)?.hooks;

/** Under which generation a batch was fetched; a rebalance can overtake it on its way. */
const generations = new WeakMap<Batch, number | null>();
const memberships = new WeakMap<Membership, number | null>();

/** Whether the batch was fetched while this membership was in force. */
export const isFetchedBy = (batch: Batch, membership: Membership): boolean =>
  generations.get(batch) === memberships.get(membership);

const joining = new WeakMap<ConsumerGroup, Promise<void>>();
const { joinAndSync, fetch } = ConsumerGroup.prototype;
const { scheduleCheckPendingRequests } = RequestQueue.prototype;

/** Several fetchers may find at once that the group must be joined again: once is enough. */
ConsumerGroup.prototype.joinAndSync = function (this: ConsumerGroup): Promise<void> {
  const running = joining.get(this) ?? join(this).finally(() => joining.delete(this));
  joining.set(this, running);
  return running;
};

async function join(group: ConsumerGroup): Promise<void> {
  const hooks = hooksOf(group);
  const heartbeat = () => group.heartbeat({ interval: 0 });
  await hooks?.beforeJoin(group.memberId === null ? undefined : { heartbeat });
  await joinAndSync.call(group);
  const membership: Membership = {
    partitions: new Map(group.assigned().map(({ topic, partitions }) => [topic, partitions])),
    heartbeat,
    commit: (offsets) => group.commitOffsets(offsets),
  };
  memberships.set(membership, group.generationId);
  hooks?.joined(membership);
}

ConsumerGroup.prototype.fetch = async function (this: ConsumerGroup, nodeId: string) {
  const { generationId } = this;
  const batches = await fetch.call(this, nodeId);
  for (const batch of batches) generations.set(batch, generationId);
  return batches;
};

/** kafkajs would go on at the beginning or the end: charged again, or never (client hazard 5). */
ConsumerGroup.prototype.recoverFromOffsetOutOfRange = function ({ topic, partition }) {
  return Promise.reject(
    new OffsetLost(`the log of ${topic}/${partition} does not hold the offset to go on from`),
  );
};

/** kafkajs re-arms a timer of 1 ms for ever, on every connection (client hazard 9). */
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return;
  scheduleCheckPendingRequests.call(this);
};
