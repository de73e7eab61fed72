import { setTimeout as sleep } from 'node:timers/promises';
import { InvariantBroken } from '#libs/contracts';
import { backoffMs } from '#libs/platform';
import type { Checkpoint, RecordedEvent } from '../port.js';
import { pageOfLog, type AllSources } from './log-pages.js';
import { persist } from './persistence.js';
import { comparePositions, positionOf, positionText, requirePosition } from './position.js';
import type { Position } from './position.js';
import type { ReadEvent } from './read-codec.js';
import { searchAll } from './searching.js';

const BEHIND_POLL = { min_ms: 50, max_ms: 1_000 };

export interface Head {
  /** Of the last record; undefined in an empty log. */
  readonly position: Position | undefined;
  readonly source: object;
}

export async function headOfLog(sources: AllSources): Promise<Head> {
  const page = await persist(sources.persistence, () =>
    pageOfLog(sources, { of: 'all', from: 'end', backwards: true, count: 1 }),
  );
  return { position: page.events[0]?.position, source: page.source };
}

/**
 * The first event at or after a position. A new leader's log may end before it for a moment, which is
 * reported and waited for; undefined when it still does after the timeout.
 */
async function eventFrom(sources: AllSources, from: Position): Promise<ReadEvent | undefined> {
  const { persistence, behind_timeout_ms } = sources;
  const { signal, on_failure } = persistence;
  const began = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    const page = await persist(persistence, () =>
      pageOfLog(sources, { of: 'all', from, count: 1 }),
    );
    const left_ms = behind_timeout_ms - (performance.now() - began);
    if (page.events.length > 0 || left_ms <= 0) return page.events[0];
    on_failure(new Error(`the log ends before ${positionText(from)}, which was read`), attempt);
    await sleep(Math.min(left_ms, backoffMs(BEHIND_POLL, attempt)), undefined, {
      ...(signal && { signal }),
    });
  }
}

/** Throws InvariantBroken when no event stands at the position: the log lost its tail. */
export async function requireThere(sources: AllSources, position: Position): Promise<void> {
  const there = await eventFrom(sources, position);
  if (there !== undefined && comparePositions(there.position, position) === 0) return;
  throw new InvariantBroken(
    `the log has no event at ${positionText(position)}: it lost its tail, or it is another log`,
  );
}

export async function holds(
  sources: AllSources,
  { position, event_id }: Checkpoint,
): Promise<boolean> {
  const at = positionOf(position);
  if (at === undefined) return false;
  try {
    const there = (await eventFrom(sources, at))?.event;
    return there?.position === position && there.event_id === event_id;
  } catch (error) {
    if (error instanceof InvariantBroken) return false;
    throw error;
  }
}

/** Up to where the log ends now, or to a position before. */
export async function* readAll(
  sources: AllSources,
  range: {
    readonly prefix: string;
    readonly after: string | null;
    readonly until?: string | undefined;
    readonly batch_size: number;
  },
): AsyncGenerator<readonly RecordedEvent[]> {
  let after = range.after === null ? null : requirePosition(range.after);
  const until = range.until === undefined ? undefined : requirePosition(range.until);
  if (after !== null) await requireThere(sources, after);
  const { position: head, source } = await headOfLog(sources);
  if (head === undefined) return;
  /** Whose pages reach as far as the head. */
  let whole = source;
  const end = until !== undefined && comparePositions(until, head) < 0 ? until : head;

  const search = searchAll(sources, range.prefix);
  while (after === null || comparePositions(after, end) < 0) {
    const page = await search.page(after, range.batch_size);
    const events = page.events.filter(({ position }) => comparePositions(position, end) <= 0);
    if (events.length > 0) yield events.map(({ event }) => event);
    if (events.length < page.events.length) return;
    after = page.read_to;
    if (!page.is_last) continue;
    if (page.source === whole) return;
    // Of another server, such as a new leader: it may have been behind when it gave the page.
    await requireThere(sources, head);
    whole = (await headOfLog(sources)).source;
  }
}
