import type pg from 'pg';
import { migrate } from '#libs/platform';
import { newBell } from '../bell.js';
import type { EventStore } from '../port.js';
import * as positions from '../position.js';
import { appendScreened } from '../screening.js';
import { appendCall, type OnCommitted } from './append-call.js';
import { newAppendQueue } from './append-queue.js';
import { joinExchange } from './exchange.js';
import { MIGRATIONS, SCHEMA } from './migrations.js';
import * as reading from './reading.js';
import { newRecentEvents } from './recent-events.js';
import { unlessAborted } from '../unless-aborted.js';
import { subscription } from './subscription.js';

interface EmbeddedEventStoreOptions {
  /** After this long without an answer an append is `unknown`. */
  readonly append_timeout_ms?: number;
  /** Told of each failed read of a subscription, and how often in a row; for logs and metrics. */
  readonly on_failure?: (error: unknown, attempt: number) => void;
  /**
   * Stores of one process that are given the same name, on the same database, hand each other what they
   * commit: a subscriber in another thread reads it from memory.
   */
  readonly exchange?: string;
}

/**
 * One call appends under the log's only lock, so the largest call is the longest time that anybody
 * waits for it: 5,000 events or 4 MB take about a tenth of a second. A single append may fill a call.
 */
const LIMITS = { max_events: 5_000, max_bytes: 4_000_000 };

const QUEUE_LIMITS = {
  call: { events: LIMITS.max_events, units: LIMITS.max_bytes },
  waiting_units: 256_000_000,
};

const RECENT_LIMITS = { events: 8_000, units: 32_000_000 };

const STREAM_PAGE = 1_000;

/** The event store in Postgres tables. The pool stays the caller's: end it after `close`. */
export async function embeddedEventStore(
  pool: pg.Pool,
  options: EmbeddedEventStoreOptions = {},
): Promise<EventStore> {
  const { append_timeout_ms = 10_000, on_failure = () => {}, exchange } = options;
  await migrate(pool, SCHEMA, MIGRATIONS);

  const recent = newRecentEvents(RECENT_LIMITS);
  const committed = newBell();
  const closing = new AbortController();
  let subscribers = 0;

  const remember: OnCommitted = (before, events) => {
    if (subscribers === 0) return;
    recent.add(before, events);
    committed.ring();
  };
  const others = exchange === undefined ? undefined : joinExchange(exchange, remember);
  const onCommitted: OnCommitted = (before, events) => {
    remember(before, events);
    others?.tell(before, events);
  };
  const queue = newAppendQueue(
    (appends) => appendCall(pool, appends, append_timeout_ms, onCommitted),
    QUEUE_LIMITS,
  );

  return {
    limits: LIMITS,
    appendMany: (appends) =>
      appendScreened(appends, LIMITS, (accepted) =>
        Promise.all(accepted.map((append) => queue.append(append))),
      ),

    async *readStream(stream, { from = 0, signal } = {}) {
      for (let next = from, ended = false; !ended;) {
        signal?.throwIfAborted();
        const reading_page = reading.pageOfStream(pool, stream, next, STREAM_PAGE);
        const page = await unlessAborted(reading_page, signal);
        if (page.events.length > 0) yield page.events;
        next += page.events.length;
        ended = page.ended;
      }
    },

    async readLast(stream, { signal } = {}) {
      signal?.throwIfAborted();
      return unlessAborted(reading.lastOfStream(pool, stream), signal);
    },

    async *readAll({ prefix, after, until, batch_size: count }) {
      const head = await reading.headOfLog(pool);
      const end = positions.endAt(until, head);
      let next = positions.startAfter(after);
      positions.requireWithinLog(next, head);
      while (next < end) {
        const page = await reading.pageOfAll(pool, { prefix, after: next, until: end, count });
        if (page.events.length > 0) yield page.events;
        next = page.read_to;
      }
    },

    async *subscribe({ prefix, after, batch_size, signal }) {
      const ending = AbortSignal.any([signal, closing.signal]);
      const range = { prefix, after: positions.startAfter(after), batch_size };
      subscribers += 1;
      try {
        yield* subscription({ pool, recent, committed, on_failure }, range, ending);
      } finally {
        subscribers -= 1;
      }
    },

    async holds({ position, event_id }) {
      const at = positions.positionOf(position);
      return at !== undefined && (await reading.holdsAt(pool, at, event_id));
    },

    async close() {
      closing.abort();
      await queue.drained();
      others?.close();
    },
  };
}
