import type { ReceivedMessage } from '../port.js';

/**
 * What this process has just appended, so that a consumer in the same process need not ask the
 * database for it. Per (topic, partition) one run without gaps, the oldest dropped first; what is not
 * here is in the database.
 */
export interface RecentBatches {
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

export function createRecentBatches(max_messages: number): RecentBatches {
  const runs = new Map<string, Run>();
  /** Runs in the order of their batches' arrival. */
  let arrivals: Run[] = [];
  let held = 0;

  const idOf = (topic: string, partition: number) => `${partition} ${topic}`;

  const dropOldest = () => {
    const run = arrivals.shift();
    const batch = run?.batches.shift();
    if (run === undefined || batch === undefined) return;
    run.begin += batch.length;
    held -= batch.length;
  };

  const forget = (run: Run) => {
    for (const batch of run.batches) held -= batch.length;
    run.batches = [];
    arrivals = arrivals.filter((other) => other !== run);
  };

  return {
    add(messages) {
      const first = messages[0];
      if (first === undefined) return;
      const id = idOf(first.topic, first.partition);
      const run = runs.get(id) ?? { batches: [], begin: first.offset, end: first.offset };
      runs.set(id, run);
      if (run.end !== first.offset) {
        forget(run); // another process has appended in between
        run.begin = first.offset;
      }
      run.batches.push(messages);
      run.end = first.offset + messages.length;
      arrivals.push(run);
      held += messages.length;
      while (held > max_messages) dropOldest();
    },
    available(topic, partition, from) {
      const run = runs.get(idOf(topic, partition));
      return run === undefined || from < run.begin || from >= run.end ? 0 : run.end - from;
    },
    take(topic, partition, from, count) {
      const taken: ReceivedMessage[] = [];
      for (const batch of runs.get(idOf(topic, partition))?.batches ?? []) {
        const start = Math.max(0, from - (batch[0]?.offset ?? 0));
        if (start >= batch.length) continue;
        const end = Math.min(batch.length, start + count - taken.length);
        for (let index = start; index < end; index++) taken.push(batch[index]!);
        if (taken.length === count) break;
      }
      return taken;
    },
  };
}
