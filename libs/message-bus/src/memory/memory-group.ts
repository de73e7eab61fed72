import type { Cursor } from '../delivery/cursor.js';
import type { Member } from '../delivery/member.js';

/** A consumer group: who holds which partition, and what was committed. */
export interface MemoryGroup {
  readonly members: Set<Member>;
  readonly owners: (Member | undefined)[];
  readonly epochs: number[];
  /** Partitions that their holder was asked to give back. */
  readonly moving: Set<number>;
  /** Next offset per topic and partition; undefined before the first commit. */
  readonly committed: Map<string, (number | undefined)[]>;
}

export const createGroup = (partitions: number): MemoryGroup => ({
  members: new Set(),
  owners: Array.from({ length: partitions }, () => undefined),
  epochs: Array.from({ length: partitions }, () => 0),
  moving: new Set(),
  committed: new Map(),
});

export function join(group: MemoryGroup, member: Member, topics: readonly string[]): void {
  for (const topic of topics) {
    if (!group.committed.has(topic)) group.committed.set(topic, []);
  }
  group.members.add(member);
  rebalance(group);
}

/** Gives the partitions of a member to the others. The member does not learn of it. */
export function leave(group: MemoryGroup, member: Member): void {
  if (!group.members.delete(member)) return;
  for (const [partition, owner] of group.owners.entries()) {
    if (owner === member) group.owners[partition] = undefined;
  }
  rebalance(group);
}

/** Partition p belongs to the p-th member, counted around; who holds it gives it back in peace. */
function rebalance(group: MemoryGroup): void {
  const members = [...group.members];
  if (members.length === 0) return;
  for (const [partition, owner] of group.owners.entries()) {
    const heir = members[partition % members.length]!;
    if (owner === heir) continue;
    if (owner === undefined) assign(group, partition, heir);
    else void handOver(group, partition, owner);
  }
}

async function handOver(group: MemoryGroup, partition: number, owner: Member): Promise<void> {
  if (group.moving.has(partition)) return;
  group.moving.add(partition);
  await owner.release(partition);
  group.moving.delete(partition);
  if (group.owners[partition] === owner) group.owners[partition] = undefined;
  rebalance(group);
}

function assign(group: MemoryGroup, partition: number, member: Member): void {
  group.owners[partition] = member;
  const epoch = (group.epochs[partition] ?? 0) + 1;
  group.epochs[partition] = epoch;
  const cursors = [...group.committed].map(([topic, offsets]): Cursor => {
    const next = offsets[partition] ?? 0;
    return { topic, partition, epoch, next, committed: next, lost: false };
  });
  member.take(cursors);
}

export async function commit(
  group: MemoryGroup,
  cursors: readonly Cursor[],
): Promise<readonly Cursor[]> {
  const isFenced = (cursor: Cursor) => cursor.epoch !== group.epochs[cursor.partition];
  for (const cursor of cursors) {
    const offsets = group.committed.get(cursor.topic);
    if (!isFenced(cursor) && offsets) offsets[cursor.partition] = cursor.next;
  }
  return cursors.filter(isFenced);
}
