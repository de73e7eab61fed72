import { instantOf } from '#libs/contracts';
import { checkSize, messageBytes, normalText, normalValue } from '../message-value.js';
import { partitionOf } from '../partitioner.js';
import type { OutgoingMessage, ReceivedMessage } from '../port.js';

/** A topic's messages, one list per partition; the index is the offset. */
export interface TopicLog {
  readonly topic: string;
  readonly partitions: ReceivedMessage[][];
}

export const createLog = (topic: string, partitions: number): TopicLog => ({
  topic,
  partitions: Array.from({ length: partitions }, () => []),
});

/** A clock that was put right is followed back, as the embedded bus does. */
const CLOCK_STEP_MS = 60_000;

/** All or none: sizes are checked first. Time never goes back within a partition, but for a clock put right. */
export function append(log: TopicLog, messages: readonly OutgoingMessage[], now_ms: number): void {
  for (const message of messages) checkSize(log.topic, messageBytes(message));
  const now = instantOf(now_ms);
  const put_right = instantOf(now_ms + CLOCK_STEP_MS);
  for (const message of messages) {
    const key = message.key === null ? null : normalText(message.key);
    const partition = partitionOf(key, log.partitions.length);
    const list = log.partitions[partition]!;
    const last = list.at(-1)?.timestamp ?? now;
    list.push({
      topic: log.topic,
      partition,
      offset: list.length,
      timestamp: last > now && last <= put_right ? last : now,
      key,
      value: normalValue(message.value),
      headers: { ...message.headers },
    });
  }
}
