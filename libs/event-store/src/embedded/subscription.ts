import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { backoffMs, isRetriable } from '#libs/platform';
import type { Bell } from '../bell.js';
import type { RecordedEvent } from '../port.js';
import { requireWithinLog } from '../position.js';
import { headOfLog, pageOfAll, type PageOfAll } from './reading.js';
import type { RecentEvents } from './recent-events.js';

interface SubscriptionSources {
  readonly pool: pg.Pool;
  /** What this process has committed lately. */
  readonly recent: RecentEvents;
  /** Rings when this process has committed. */
  readonly committed: Bell;
  /** Told of each failed read, and how often in a row. */
  readonly on_failure: (error: unknown, attempt: number) => void;
}

/**
 * How long to wait for this process's own commits before asking the database for those of others: at
 * first after own events, at first after others' events, and at most.
 */
const OWN_POLL_MS = 25;
const FIRST_POLL_MS = 5;
const MAX_POLL_MS = 100;

const RETRY = { min_ms: 50, max_ms: 2_000 };

/** Follows the log from position `after`. Reads from memory what is there, the rest from the database. */
export async function* subscription(
  sources: SubscriptionSources,
  range: { readonly prefix: string; readonly after: number; readonly batch_size: number },
  ending: AbortSignal,
): AsyncGenerator<readonly RecordedEvent[]> {
  const { recent, committed } = sources;
  const { prefix, batch_size } = range;
  let after = range.after;
  let poll_ms = FIRST_POLL_MS;
  let polling = true;

  while (!ending.aborted) {
    const rings = committed.rings();
    const own = recent.after(after, batch_size);
    if (own !== undefined && own.length > 0) {
      after += own.length;
      poll_ms = OWN_POLL_MS;
      polling = false;
      const events = own.filter((event) => event.stream.startsWith(prefix));
      if (events.length > 0) yield events;
      continue;
    }

    if (own === undefined || polling) {
      const range = { prefix, after, count: batch_size };
      const page = await persist(sources, ending, () => nextPage(sources.pool, range, polling));
      if (page === undefined || ending.aborted) return;
      after = page.read_to;
      if (page.events.length > 0) {
        poll_ms = FIRST_POLL_MS;
        yield page.events;
      }
      if (after < page.head) continue;
    }

    polling = !(await committed.wait(rings, ending, poll_ms));
    if (polling) poll_ms = Math.min(2 * poll_ms, MAX_POLL_MS);
  }
}

async function nextPage(
  pool: pg.Pool,
  range: { readonly prefix: string; readonly after: number; readonly count: number },
  polling: boolean,
): Promise<PageOfAll> {
  // Whoever waits asks often, and mostly in vain: where the log ends is the cheapest question.
  if (polling) {
    const head = await headOfLog(pool);
    requireWithinLog(range.after, head);
    if (head === range.after) return { events: [], read_to: head, head };
  }
  return pageOfAll(pool, { ...range, until: Number.MAX_SAFE_INTEGER });
}

/** Reads until it succeeds; undefined when the signal aborted. Throws what repeating does not fix. */
async function persist<T>(
  { on_failure }: SubscriptionSources,
  ending: AbortSignal,
  read: () => Promise<T>,
): Promise<T | undefined> {
  for (let attempt = 1; !ending.aborted; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      if (!isRetriable(error)) throw error;
      on_failure(error, attempt);
      await sleep(backoffMs(RETRY, attempt), undefined, { signal: ending }).catch(() => {});
    }
  }
  return undefined;
}
