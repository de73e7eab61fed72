import { setTimeout as sleep } from 'node:timers/promises';
import type { OffsetsByTopicPartition } from 'kafkajs';
import type { Cursor } from '../delivery/cursor.js';
import { startMember, type MemberSettings } from '../delivery/member.js';
import { OwnershipLost } from '../port.js';
import type { GroupHooks, Membership } from './client-patches.js';
import { typeOf } from './errors.js';
import { createBuffers, type PartitionBuffers } from './partition-buffers.js';

export interface GroupMemberSettings extends Omit<MemberSettings, 'confirm'> {
  /** The broker gives the partitions of a member that was silent for so long to others. */
  readonly session_timeout_ms: number;
  /** How long others wait for the batch in hand before the partitions change hands without it. */
  readonly hand_over_ms: number;
}

/** The part of a consumer that outlives its connections: what is in hand, and under which membership. */
export interface GroupMember {
  readonly hooks: {
    readonly beforeJoin: GroupHooks['beforeJoin'];
    readonly joined: (membership: Membership) => void;
  };
  readonly buffers: PartitionBuffers;
  /** In force now; undefined before the first join, while joining again, and after a crash. */
  readonly membership: () => Membership | undefined;
  /** Partitions held, or held last when none are: the assigner gives them back when it can. */
  readonly preferred: () => readonly number[];
  readonly assigned: () => readonly number[];
  /** The broker has answered this member just now. */
  readonly heard: () => void;
  /** All partitions are gone, without a word from the broker. */
  readonly lose: () => void;
  readonly close: () => Promise<void>;
}

// The coordinator has given the partitions to others.
const EVICTED = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID']);
const isEvicted = (error: unknown) => EVICTED.has(typeOf(error));

export function createGroupMember(
  settings: GroupMemberSettings,
  on_join: (membership: Membership) => void,
): GroupMember {
  const buffers = createBuffers();
  let membership: Membership | undefined;
  let epoch = 0;
  let preferred: readonly number[] = [];
  let heard_at = 0;

  const heard = () => {
    heard_at = performance.now();
  };

  /** An event loop that stood still may have slept through its eviction (F28): then the broker is asked. */
  const confirm = async () => {
    if (performance.now() - heard_at < settings.session_timeout_ms / 2) return;
    const asked = membership;
    try {
      await asked?.heartbeat();
      heard();
    } catch (error) {
      if (typeOf(error) === 'REBALANCE_IN_PROGRESS') return heard(); // still held until it joins again
      if (isEvicted(error)) loseUnder(asked);
      throw new OwnershipLost('the broker does not confirm the partitions', { cause: error });
    }
  };

  const commit = async (cursors: readonly Cursor[]): Promise<readonly Cursor[]> => {
    const mine = cursors.filter((cursor) => cursor.epoch === epoch);
    const asked = membership;
    if (asked === undefined || mine.length === 0) return cursors;
    try {
      // The generation is taken when this is called, in the same turn as the epoch is compared:
      // a commit can not slip into a later generation, in which the partition is another's.
      await asked.commit(offsetsOf(mine));
      heard();
    } catch (error) {
      if (!isEvicted(error)) throw error;
      loseUnder(asked);
      return cursors;
    }
    return cursors.filter((cursor) => cursor.epoch !== epoch);
  };

  const member = startMember({ ...settings, confirm }, buffers.feed, commit);

  const lose = () => {
    membership = undefined;
    member.lose(member.held());
    buffers.clear();
  };

  /**
   * An answer that comes late is of an earlier membership: it says nothing of the one in force, which
   * nobody would join again, since its own heartbeats succeed.
   */
  const loseUnder = (earlier: Membership | undefined) => {
    if (membership === earlier) lose();
  };

  /** Lets the batch in hand be finished and committed, and the broker know that somebody is there. */
  const handOver = async (heartbeat: () => Promise<void>) => {
    let done = false;
    const released = Promise.all(member.assigned().map((one) => member.release(one))).then(() => {
      done = true;
    });
    const until = performance.now() + settings.hand_over_ms;
    while (!done && performance.now() < until) {
      const evicted = await heartbeat().then(() => false, isEvicted);
      if (evicted) return;
      await Promise.race([released, sleep(settings.session_timeout_ms / 10)]);
    }
  };

  return {
    buffers,
    membership: () => membership,
    preferred: () => preferred,
    assigned: member.assigned,
    heard,
    lose,
    close: member.close,
    hooks: {
      async beforeJoin(held) {
        const handed_over = membership;
        if (held !== undefined && handed_over !== undefined) await handOver(held.heartbeat);
        loseUnder(handed_over);
      },
      joined(joined) {
        lose();
        membership = joined;
        epoch++;
        heard();
        preferred = [...new Set([...joined.partitions.values()].flat())];
        on_join(joined);
        member.take(cursorsOf(joined, epoch));
      },
    },
  };
}

/** `next` is where the first batch begins, which kafkajs takes from the committed offset. */
const cursorsOf = (membership: Membership, epoch: number): Cursor[] =>
  [...membership.partitions].flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({
      topic,
      partition,
      epoch,
      next: 0,
      committed: 0,
      lost: false,
    })),
  );

function offsetsOf(cursors: readonly Cursor[]): OffsetsByTopicPartition {
  const topics = new Set(cursors.map(({ topic }) => topic));
  return {
    topics: [...topics].map((topic) => ({
      topic,
      partitions: cursors
        .filter((cursor) => cursor.topic === topic)
        .map(({ partition, next }) => ({ partition, offset: String(next) })),
    })),
  };
}
