import { setTimeout as sleep } from 'node:timers/promises';
import { InvariantBroken } from '#libs/contracts';
import type { RecordedEvent } from '../port.js';
import type { AllSources } from './log-pages.js';
import { comparePositions, positionText, requirePosition, type Position } from './position.js';
import { headOfLog, requireThere, type Head } from './reading-all.js';
import { PAGE, searchAll } from './searching.js';

/** How long to wait after a page that was less than half full, and at most while nothing comes. */
const FIRST_POLL_MS = 15;
const MAX_POLL_MS = 100;

/** How often to ask where the log ends, while nothing comes. */
const HEAD_PERIOD_MS = 1_000;

interface SubscriptionRange {
  readonly prefix: string;
  readonly after: string | null;
  readonly batch_size: number;
}

/**
 * Follows the log by pages of counted reads: faster than a live subscription, and never dropped as one
 * on a burst. Ends when the signal of its sources aborts.
 */
export async function* subscription(
  sources: AllSources,
  range: SubscriptionRange,
): AsyncGenerator<readonly RecordedEvent[]> {
  const signal = sources.persistence.signal!;
  try {
    yield* follow(sources, range, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function* follow(
  sources: AllSources,
  { prefix, after, batch_size }: SubscriptionRange,
  signal: AbortSignal,
): AsyncGenerator<readonly RecordedEvent[]> {
  signal.throwIfAborted();
  /** Everything up to here has been delivered or is foreign. */
  let seen: Position | null = after === null ? null : requirePosition(after);
  if (seen !== null) await requireThere(sources, seen);
  /** The event at `seen`, when it is under the prefix: it stands in front of every page. */
  let front: RecordedEvent | undefined;
  let poll_ms = FIRST_POLL_MS;
  let head: Head | undefined;
  let head_at = -Infinity;
  const count = Math.min(batch_size, PAGE);
  const search = searchAll(sources, prefix);

  for (;;) {
    const page = await search.page(seen, count);
    signal.throwIfAborted();
    if (front !== undefined && page.at_after?.event_id !== front.event_id) {
      // Another event in its place, or none and others behind it: no leader gets that back.
      if (page.at_after !== undefined || page.events.length > 0) throw lostTail(seen!);
      await requireThere(sources, seen!);
      continue;
    }
    [seen, front] = [page.read_to, page.front];
    const isEmpty = page.events.length === 0;
    if (!isEmpty) {
      poll_ms = FIRST_POLL_MS;
      yield page.events.map(({ event }) => event);
    } else if (page.is_last && head?.position !== undefined && head.source === page.source) {
      // Nothing of ours up to where the log ended before this page: not to be searched again.
      const isBehind = seen === null || comparePositions(seen, head.position) < 0;
      if (isBehind) [seen, front] = [head.position, undefined];
    }
    if (!page.is_last || page.events.length * 2 >= count) continue;

    await sleep(poll_ms, undefined, { signal });
    head = undefined;
    if (!isEmpty) continue;
    poll_ms = Math.min(poll_ms * 2, MAX_POLL_MS);
    if (performance.now() - head_at < HEAD_PERIOD_MS) continue;
    head_at = performance.now();
    head = await headOfLog(sources);
    if (seen === null) continue;
    if (head.position === undefined || comparePositions(head.position, seen) < 0) {
      await requireThere(sources, seen);
    }
  }
}

const lostTail = (seen: Position): InvariantBroken =>
  new InvariantBroken(`the log has another event at ${positionText(seen)}: it lost its tail`);
