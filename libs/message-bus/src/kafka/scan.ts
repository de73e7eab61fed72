import type { Batch } from 'kafkajs';
import type { ReceivedMessage } from '../port.js';
import type { Leaders, LogEnds } from './leaders.js';
import { byLeader, fetchFrom, type Offsets } from './log-reader.js';
import { receivedMessages } from './received.js';

const LIMITS = { max_wait_ms: 100, max_bytes: 4_000_000 };

/**
 * Reads what is there at the time of the call, without a group; in offset order per partition. Throws
 * OffsetLost when retention takes away what is still to be read.
 */
export async function* scanTopic(
  leaders: Leaders,
  topic: string,
): AsyncGenerator<readonly ReceivedMessage[]> {
  const logs = await leaders.repeat(() => wholeLog(leaders, topic));
  const offsets: Offsets = new Map(logs.map(({ partition, begin }) => [partition, begin]));
  const end_of = new Map(logs.map(({ partition, end }) => [partition, end]));
  const open = () => [...end_of.keys()].filter((one) => offsets.get(one)! < end_of.get(one)!);

  for (let left = open(); left.length > 0; left = open()) {
    const batches = await leaders.repeat(() => fetchRound(leaders, topic, offsets, left));
    for (const batch of batches) {
      const end = end_of.get(batch.partition)!;
      const messages = receivedMessages(batch).filter(({ offset }) => offset < end);
      if (messages.length > 0) yield messages;
    }
  }
}

async function wholeLog(leaders: Leaders, topic: string): Promise<LogEnds[]> {
  const logs = await leaders.logEnds(topic);
  const unknown = logs.filter(({ begin, end }) => Number.isNaN(begin + end));
  if (unknown.length === 0) return logs;
  const partitions = unknown.map(({ partition }) => `${topic}/${partition}`);
  throw new Error(`nobody leads ${partitions.join(', ')}`);
}

/** One request to the first leader of what is left: the others have their turn when it is read. */
async function fetchRound(
  leaders: Leaders,
  topic: string,
  offsets: Offsets,
  left: readonly number[],
): Promise<Batch[]> {
  const [first] = byLeader(leaders, topic, left);
  if (first === undefined) throw new Error(`nobody leads ${topic}`);
  const [leader, partitions] = first;
  return fetchFrom(await leaders.broker(leader), topic, offsets, partitions, LIMITS);
}
