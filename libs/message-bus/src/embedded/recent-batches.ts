import { sizeOf } from '../delivery/cursor.js';
import type { ReceivedMessage } from '../port.js';

/**
 * What this process has just appended, so that a consumer in the same process need not ask the
 * database for it. Per (topic, partition) one run without gaps, the oldest dropped first; what is not
 * here is in the database.
 */
interface RecentBatches {
  add(messages: readonly ReceivedMessage[]): void;
  /** How many messages are here from this offset on; 0 when that one is not. */
  available(topic: string, partition: number, from: number): number;
  take(topic: string, partition: number, from: number, count: number): ReceivedMessage[];
}

interface Run {
  batches: (readonly ReceivedMessage[])[];
  begin: number;
  end: number;
}

const bytesOf = (batch: readonly ReceivedMessage[]) =>
  batch.reduce((sum, message) => sum + sizeOf(message), 0);

export function createRecentBatches(max_messages: number, max_bytes: number): RecentBatches {
  /** Per topic, by partition. */
  const runs = new Map<string, Run[]>();
  /** Runs in the order of their batches' arrival. */
  let arrivals: Run[] = [];
  let held = 0;
  let held_bytes = 0;

  const runOf = (topic: string, partition: number) => runs.get(topic)?.[partition];

  const openRun = (topic: string, partition: number, offset: number): Run => {
    const run: Run = { batches: [], begin: offset, end: offset };
    const of_topic = runs.get(topic) ?? [];
    of_topic[partition] = run;
    runs.set(topic, of_topic);
    return run;
  };

  const dropOldest = () => {
    const run = arrivals.shift();
    const batch = run?.batches.shift();
    if (run === undefined || batch === undefined) return;
    run.begin += batch.length;
    held -= batch.length;
    held_bytes -= bytesOf(batch);
  };

  const forget = (run: Run) => {
    for (const batch of run.batches) {
      held -= batch.length;
      held_bytes -= bytesOf(batch);
    }
    run.batches = [];
    arrivals = arrivals.filter((other) => other !== run);
  };

  return {
    add(messages) {
      const first = messages[0];
      if (first === undefined) return;
      const { topic, partition, offset } = first;
      const run = runOf(topic, partition) ?? openRun(topic, partition, offset);
      if (run.end !== offset) {
        forget(run); // another process has appended in between
        run.begin = offset;
      }
      run.batches.push(messages);
      run.end = offset + messages.length;
      arrivals.push(run);
      held += messages.length;
      held_bytes += bytesOf(messages);
      while (held > max_messages || held_bytes > max_bytes) dropOldest();
    },
    available(topic, partition, from) {
      const run = runOf(topic, partition);
      return run === undefined || from < run.begin || from >= run.end ? 0 : run.end - from;
    },
    take(topic, partition, from, count) {
      const taken: ReceivedMessage[] = [];
      const batches = runOf(topic, partition)?.batches ?? [];
      // Readers are near the end, behind thousands of batches of one message.
      const first = batches.findLastIndex((batch) => batch[0]!.offset <= from);
      for (let at = Math.max(first, 0); at < batches.length && taken.length < count; at += 1) {
        const batch = batches[at]!;
        const start = Math.max(0, from - batch[0]!.offset);
        const end = Math.min(batch.length, start + count - taken.length);
        for (let index = start; index < end; index++) taken.push(batch[index]!);
      }
      return taken;
    },
  };
}
