import type { Assigner, Batch, OffsetsByTopicPartition } from 'kafkajs';
import BatchOf from 'kafkajs/src/consumer/batch.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import type { LogOffsets } from 'kafkajs/src/cluster/index.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { dropBroken } from './broker-patches.js';
import './connection-patches.js';
import './handshake-patch.js';
import './runner-patch.js';
import { fetchedInTime } from './hanging-fetch.js';
import { leaderless } from './leaderless.js';
import { isAway, isMissing, isMoved, OffsetLost } from './errors.js';

/** What one member of a group knows and does while it holds its partitions. */
export interface Membership {
  readonly partitions: ReadonlyMap<string, readonly number[]>;
  /** Sends a heartbeat now. Rejects when the group rebalances or has forgotten this member. */
  heartbeat(): Promise<void>;
  /** One attempt, under the generation that is in force when it is called. */
  commit(offsets: OffsetsByTopicPartition): Promise<void>;
  /** Gives the partitions back at once; without it the others wait until the session ends. */
  leave(): Promise<void>;
}

/** What kafkajs does not tell: it has no callback before partitions are taken away. */
export interface GroupHooks {
  /** Awaited before the member joins (again). `held` is undefined when all is lost already. */
  beforeJoin(held: Pick<Membership, 'heartbeat'> | undefined): Promise<void>;
  /** Told again and again while nobody leads some of the partitions that it holds. */
  leaderless?(partitions: readonly string[]): void;
  /** A rejection ends the consumer as a failed join does. */
  joined(membership: Membership): void | Promise<void>;
}

/** An assigner that carries the hooks of the consumer that it was made for. */
export interface HookedAssigner extends Assigner {
  readonly hooks: GroupHooks;
}

// A patch of another version would change what nobody has read.
const GROUP_METHODS = [
  'joinAndSync',
  'fetch',
  'recoverFromFetch',
  'recoverFromOffsetOutOfRange',
  'heartbeat',
  'leave',
];
for (const [patched, methods] of [
  [ConsumerGroup, GROUP_METHODS],
  [BatchOf, ['isEmptyDueToFiltering']],
  [RequestQueue, ['scheduleCheckPendingRequests']],
] as const) {
  for (const method of methods) {
    if (method in patched.prototype) continue;
    throw new Error(`kafkajs is not 2.2.4: ${patched.name} has no ${method}`);
  }
}

const hooksOf = (group: ConsumerGroup) =>
  group.assigners.find((one): one is HookedAssigner => 'hooks' in one)?.hooks;

/**
 * Counts up when a group begins and when it ends to join. Not the generation: a member that joins again
 * may keep that, and yet starts anew at the committed offsets. One count for all groups of the process:
 * those of a consumer that was replaced never look like those of its successor.
 */
let joins = 0;
const counts = new WeakMap<ConsumerGroup, number>();
const countUp = (group: ConsumerGroup) => counts.set(group, ++joins);

const fetched_at = new WeakMap<Batch, number>();
const joined_at = new WeakMap<Membership, number>();

/** Whether the batch was fetched under this membership; a rebalance can overtake it on its way. */
export const isFetchedBy = (batch: Batch, membership: Membership): boolean =>
  fetched_at.get(batch) === joined_at.get(membership);

const joining = new WeakMap<ConsumerGroup, Promise<void>>();
const { joinAndSync, fetch, recoverFromFetch } = ConsumerGroup.prototype;
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
  countUp(group);
  await joinAndSync.call(group);
  countUp(group);
  const membership: Membership = {
    partitions: new Map(group.assigned().map(({ topic, partitions }) => [topic, partitions])),
    heartbeat,
    commit: (offsets) => group.commitOffsets(offsets),
    leave: () => group.leave(),
  };
  joined_at.set(membership, counts.get(group)!);
  await hooks?.joined(membership);
}

ConsumerGroup.prototype.fetch = async function (this: ConsumerGroup, nodeId: string) {
  const count = counts.get(this) ?? 0;
  askForLeaders(this);
  const batches = await fetchedInTime(this, nodeId, count, () => fetch.call(this, nodeId));
  for (const batch of batches) {
    fetched_at.set(batch, count);
    // kafkajs goes on behind what holds no message, such as the marker of a transaction, and tells nobody:
    // then it would never be committed, and the group would look as if it stood still (client hazard 13).
    if (batch.isEmptyDueToFiltering()) batch.isEmpty = () => false;
  }
  return batches;
};

const LEADERLESS_PAUSE_MS = 1_000;
const asked_at = new WeakMap<ConsumerGroup, number>();

/** kafkajs only asks for a leader when it is refused by another, or after a minute (client hazard 18). */
function askForLeaders(group: ConsumerGroup): void {
  const now = performance.now();
  if (now < (asked_at.get(group) ?? 0) + LEADERLESS_PAUSE_MS) return;
  const partitions = leaderless(group.cluster, group.assigned());
  if (partitions.length === 0) return;
  asked_at.set(group, now);
  hooksOf(group)?.leaderless?.(partitions);
  void group.cluster.refreshMetadata().catch((error: Error) => dropBroken(group.cluster, error));
}

const RETRY_PAUSE_MS = 200;

/**
 * kafkajs joins anew when a leader has moved, and ends after six fetches that failed since the last join,
 * of whatever brokers. Who leads is no matter of the group: the others are fetched from meanwhile, and
 * whether this is still a member is for the heartbeats to find out (client hazard 16).
 */
ConsumerGroup.prototype.recoverFromFetch = async function (this: ConsumerGroup, error: Error) {
  const moved = isMoved(error);
  if (!moved && !isAway(error)) return recoverFromFetch.call(this, error);
  dropBroken(this.cluster, error); // then the leaders are asked for anew
  await sleep(RETRY_PAUSE_MS); // one that breaks at once, or takes no connection, is no hot loop
  if (!moved) return;
  await this.cluster.refreshMetadata().catch((unknown: Error) => {
    if (isMissing(unknown)) throw unknown; // the topic is gone: the membership ends and says so
    dropBroken(this.cluster, unknown);
  });
};

/** kafkajs would go on at the beginning or the end: charged again, or never (client hazard 5). */
ConsumerGroup.prototype.recoverFromOffsetOutOfRange = async function (
  this: ConsumerGroup,
  { topic, partition },
) {
  const wanted = Number(this.offsetManager.nextOffset(topic, partition));
  for (let look = 1; look <= RANGE_LOOKS; look++) {
    await sleep(RETRY_PAUSE_MS);
    const isThere = await isInLog(this.cluster, topic, partition, wanted).catch(() => true);
    if (isThere) return; // fetched again, from whoever leads now
  }
  throw new OffsetLost(`the log of ${topic}/${partition} does not hold the offset to go on from`);
};

/** A former leader that wakes up knows an older end until it hears that it leads no more. */
const RANGE_LOOKS = 3;

async function isInLog(
  cluster: ConsumerGroup['cluster'],
  topic: string,
  partition: number,
  offset: number,
): Promise<boolean> {
  await cluster.refreshMetadata();
  const edge = async (fromBeginning: boolean) => {
    const asked = { topic, partitions: [{ partition }], fromBeginning };
    const [found] = (await cluster.fetchTopicsOffset([asked])) as LogOffsets[];
    return found!.partitions[0]!.offset;
  };
  const [begin, end] = [await edge(true), await edge(false)];
  if (begin === null || end === null) return true; // while nobody leads it nobody knows
  return offset >= Number(begin) && offset <= Number(end);
}

/** kafkajs re-arms a timer of 1 ms for ever, on every connection (client hazard 9). */
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return;
  scheduleCheckPendingRequests.call(this);
};
