import type { Cursor, Feed } from './cursor.js';
import { type LaneSettings, startLane } from './lane.js';

export interface MemberSettings extends LaneSettings {
  /**
   * Handler calls that may run at the same time, each over its own partitions. More than one lets a
   * call wait for its database while another decides.
   */
  readonly lanes: number;
  /** Pause between two commits; 0 commits after each batch. */
  readonly commit_interval_ms: number;
}

export interface Member {
  readonly assigned: () => number[];
  /** A partition is this member's now: the cursors of all topics on it. */
  readonly take: (cursors: readonly Cursor[]) => void;
  /** These cursors are another's now. */
  readonly lose: (cursors: readonly Cursor[]) => void;
  /** Every cursor held. */
  readonly held: () => Cursor[];
  /** Stops reading a partition; resolves when its batch in hand is finished and committed. */
  readonly release: (partition: number) => Promise<void>;
  /** Finishes the batches in hand and commits. Rejects when the last commit fails. */
  readonly close: () => Promise<void>;
}

/** What one member of a group does with the partitions that it is given, whoever gives them. */
export function startMember(
  options: MemberSettings,
  feed: Feed,
  /** Makes the cursors' `next` of the time of the call durable; answers those that are fenced off. */
  commit: (cursors: readonly Cursor[]) => Promise<readonly Cursor[]>,
): Member {
  const held = new Set<Cursor>();
  const waiting = new Set<() => void>();
  let committing = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let closing = false;

  const finished = () => {
    for (const check of waiting) check();
    scheduleCommit(options.commit_interval_ms);
  };
  const lanes = Array.from({ length: options.lanes }, () => startLane(options, feed, finished));
  const laneOf = (partition: number) => lanes[partition % lanes.length]!;

  const lose = (cursors: readonly Cursor[]) => {
    for (const cursor of cursors) {
      cursor.lost = true;
      held.delete(cursor);
      laneOf(cursor.partition).cursors.delete(cursor);
    }
    for (const lane of lanes) lane.changed();
    for (const check of waiting) check();
  };

  const commitOnce = async () => {
    const dirty = [...held].filter((cursor) => cursor.next > cursor.committed);
    if (dirty.length === 0) return;
    const sent = dirty.map((cursor) => cursor.next);
    const fenced = await commit(dirty);
    for (const [index, cursor] of dirty.entries()) cursor.committed = sent[index]!;
    if (fenced.length > 0) lose(fenced);
  };

  /** One at a time: an older commit that arrives last would look fenced. */
  const commitNow = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    committing = committing.then(commitOnce, commitOnce);
    return committing;
  };

  const commitAgainLater = (error: unknown) => {
    options.on_failure?.(error, 1);
    scheduleCommit(Math.max(options.commit_interval_ms, options.retry.min_ms));
  };

  const scheduleCommit = (pause_ms: number) => {
    if (closing) return;
    if (pause_ms === 0) commitNow().catch(commitAgainLater);
    else timer ??= setTimeout(() => void commitNow().catch(commitAgainLater), pause_ms);
  };

  const release = async (partition: number) => {
    const lane = laneOf(partition);
    const cursors = [...held].filter((cursor) => cursor.partition === partition);
    for (const cursor of cursors) lane.cursors.delete(cursor);
    lane.changed();
    await until(() => !cursors.some((cursor) => !cursor.lost && lane.isBusyWith(cursor)));
    // What cannot be committed is delivered again to the next holder.
    await commitNow().catch((error: unknown) => options.on_failure?.(error, 1));
    for (const cursor of cursors) held.delete(cursor);
  };

  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!holds()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });

  return {
    assigned: () =>
      [...new Set([...held].map((cursor) => cursor.partition))].toSorted((a, b) => a - b),
    take(cursors) {
      for (const cursor of cursors) {
        held.add(cursor);
        laneOf(cursor.partition).cursors.add(cursor);
      }
      for (const lane of lanes) lane.changed();
    },
    lose,
    held: () => [...held],
    release,
    async close() {
      closing = true;
      await Promise.all(lanes.map((lane) => lane.close()));
      await commitNow();
    },
  };
}
