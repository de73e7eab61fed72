import type { Consumer, ReceivedMessage } from '../port.js';
import type { Cursor, Feed } from './cursor.js';
import { startLane } from './lane.js';

interface TailOptions {
  readonly topic: string;
  /** Offset per partition from which to follow. */
  readonly from: readonly number[];
  readonly handler: (messages: readonly ReceivedMessage[]) => void;
  readonly on_error: (error: unknown) => void;
}

const MAX_BATCH = 1_000;
const RETRY = { min_ms: 50, max_ms: 2_000 };

/** Follows a topic without a group; what its handler throws is reported and passed over. */
export function startTail(options: TailOptions, feed: Feed): Consumer {
  const { topic, from, handler, on_error } = options;
  const passOver = async (messages: readonly ReceivedMessage[]) => {
    try {
      handler(messages);
    } catch (error) {
      on_error(error);
    }
  };
  const settings = {
    group: '',
    topics: [topic],
    max_batch: MAX_BATCH,
    handler: passOver,
    on_failure: on_error,
    retry: RETRY,
  };
  const lane = startLane(settings, feed, () => {});
  for (const [partition, next] of from.entries()) {
    const cursor: Cursor = { topic, partition, epoch: 0, next, committed: next, lost: false };
    lane.cursors.add(cursor);
  }
  lane.changed();
  return { assigned: () => [...from.keys()], close: lane.close };
}
