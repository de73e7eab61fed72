import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs';
import type { GroupHooks, HookedAssigner } from './client-patches.js';
import { TopicUnfit } from './errors.js';

const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

const NAME = 'usage-ledger-together';
const VERSION = 0;

interface TogetherSettings {
  /** Partitions that every topic of the group must have. */
  readonly partitions: number;
  readonly hooks: GroupHooks;
  /** Partitions that this member held when it last held any. */
  readonly held: () => readonly number[];
}

/** Partition p of all topics goes to one member, which keeps it while the shares stay even. */
export function togetherAssigner(settings: TogetherSettings): PartitionAssigner {
  return ({ cluster }): HookedAssigner => ({
    name: NAME,
    version: VERSION,
    hooks: settings.hooks,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: MemberMetadata.encode({
        version: VERSION,
        topics: [...topics].toSorted(),
        userData: Buffer.from(settings.held().join()),
      }),
    }),
    async assign({ members, topics }) {
      checkPartitions(cluster, topics, settings.partitions);
      const wishes = members.map(({ memberId, memberMetadata }) => {
        const metadata = MemberMetadata.decode(memberMetadata);
        const their_topics = metadata?.topics.toSorted().join() ?? '';
        if (their_topics !== topics.toSorted().join())
          throw new TopicUnfit(`a member reads ${their_topics}, another ${topics.join()}`);
        return { member: memberId, held: partitionsIn(metadata?.userData) };
      });
      return [...shareOut(wishes, settings.partitions)].map(([memberId, partitions]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment: Object.fromEntries(topics.map((topic) => [topic, [...partitions]])),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

const partitionsIn = (held: Buffer | null | undefined): number[] =>
  (held?.toString() ?? '').split(',').filter(Boolean).map(Number);

/** A key would move to another partition, and its requests overtake each other (F18). */
function checkPartitions(cluster: Cluster, topics: readonly string[], expected: number): void {
  for (const topic of topics) {
    const found = cluster.findTopicPartitionMetadata(topic).length;
    if (found !== expected)
      throw new TopicUnfit(`${topic} has ${found} partitions, not ${expected}`);
  }
}

interface Wish {
  readonly member: string;
  readonly held: readonly number[];
}

/**
 * Even shares, which differ by at most one. A member keeps what it held up to its share; what two claim
 * goes to the first by name. Every member is in the result.
 */
export function shareOut(wishes: readonly Wish[], partitions: number): Map<string, number[]> {
  const members = wishes.toSorted((a, b) => (a.member < b.member ? -1 : 1));
  const free = new Set(Array.from({ length: partitions }, (_, partition) => partition));
  const least = Math.floor(partitions / members.length);
  let larger = partitions % members.length; // how many members get one more

  const shares = new Map<string, number[]>();
  for (const { member, held } of members) {
    const claims = held.filter((partition) => free.has(partition));
    const size = claims.length > least && larger > 0 ? least + 1 : least;
    if (size > least) larger--;
    const kept = claims.slice(0, size);
    for (const partition of kept) free.delete(partition);
    shares.set(member, kept);
  }

  const rest = [...free];
  for (const share of shares.values()) {
    const lacking = least - share.length;
    if (lacking > 0) share.push(...rest.splice(0, lacking));
  }
  for (const share of shares.values()) {
    if (rest.length > 0 && share.length === least) share.push(rest.shift()!);
    share.sort((a, b) => a - b);
  }
  return shares;
}
