import { newBell, type Bell } from '../bell.js';
import type { AppendResult, EventStore, RecordedEvent, StreamAppend } from '../port.js';
import * as positions from '../position.js';
import { appendScreened } from '../screening.js';

/** What the stores of one test or simulation share, as processes share a server. */
export interface MemoryLog {
  readonly events: RecordedEvent[];
  readonly streams: Map<string, RecordedEvent[]>;
  readonly appended: Bell;
}

export const newMemoryLog = (): MemoryLog => ({
  events: [],
  streams: new Map(),
  appended: newBell(),
});

const LIMITS = { max_events: 5_000, max_bytes: 4_000_000 };
const STREAM_PAGE = 500;

/** An event store for tests: all that the port says, and nothing after the process. */
export function memoryEventStore(log: MemoryLog = newMemoryLog()): EventStore {
  const closing = new AbortController();

  async function* read(prefix: string, after: number, until: number, batch_size: number) {
    let batch: RecordedEvent[] = [];
    // An event's index is its position less one, so the next one's index is the position before it.
    for (let at = after; at < Math.min(until, log.events.length); at += 1) {
      const event = log.events[at]!;
      if (event.stream.startsWith(prefix)) batch.push(event);
      if (batch.length < batch_size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  return {
    limits: LIMITS,
    appendMany: (appends) =>
      appendScreened(appends, LIMITS, async (accepted) => {
        const results = accepted.map((append) => appendTo(log, append));
        log.appended.ring();
        return results;
      }),

    async *readStream(stream, { from = 0, signal } = {}) {
      for (let at = from; ; at += STREAM_PAGE) {
        signal?.throwIfAborted();
        const page = log.streams.get(stream)?.slice(at, at + STREAM_PAGE) ?? [];
        if (page.length === 0) return;
        yield page;
      }
    },

    async readLast(stream, { signal } = {}) {
      signal?.throwIfAborted();
      return log.streams.get(stream)?.at(-1);
    },

    async *readAll({ prefix, after, until, batch_size }) {
      const from = positions.startAfter(after);
      const head = log.events.length;
      positions.requireWithinLog(from, head);
      yield* read(prefix, from, positions.endAt(until, head), batch_size);
    },

    async *subscribe({ prefix, after, batch_size, signal }) {
      const ending = AbortSignal.any([signal, closing.signal]);
      let at = positions.startAfter(after);
      while (!ending.aborted) {
        const rings = log.appended.rings();
        const head = log.events.length;
        positions.requireWithinLog(at, head);
        if (at === head) {
          await log.appended.wait(rings, ending);
          continue;
        }
        for await (const batch of read(prefix, at, head, batch_size)) {
          if (ending.aborted) return;
          yield batch;
        }
        at = head;
      }
    },

    async holds({ position, event_id }) {
      const at = positions.positionOf(position);
      return at !== undefined && log.events[at - 1]?.event_id === event_id;
    },

    close: async () => closing.abort(),
  };
}

function appendTo(log: MemoryLog, append: StreamAppend): AppendResult {
  const { stream, expected_revision, events } = append;
  const recorded = log.streams.get(stream) ?? [];
  const actual_revision = recorded.length - 1;
  const last_revision = expected_revision + events.length;

  if (expected_revision !== actual_revision) {
    const there = (n: number) => recorded[expected_revision + 1 + n]?.event_id;
    return events.every((event, n) => event.event_id === there(n))
      ? { kind: 'appended', revision: last_revision }
      : { kind: 'conflict', actual_revision };
  }
  for (const { event_id, type, data, meta } of events) {
    const revision = recorded.length;
    const position = positions.positionText(log.events.length + 1);
    const event = { event_id, type, data, meta, stream, revision, position };
    log.events.push(event);
    recorded.push(event);
  }
  log.streams.set(stream, recorded);
  return { kind: 'appended', revision: last_revision };
}
