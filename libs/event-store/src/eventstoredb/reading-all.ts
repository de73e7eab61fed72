import { InvariantBroken } from '#libs/contracts';
import type { Checkpoint, RecordedEvent } from '../port.js';
import type { Page, PageReader } from './pages.js';
import { persist, type Persistence } from './persistence.js';
import { comparePositions, positionOf, positionText, requirePosition } from './position.js';
import type { Position } from './position.js';
import type { ReadEvent } from './read-codec.js';
import type { PageRequest } from './read-request.js';

export interface AllSources {
  readonly pages: PageReader;
  readonly persistence: Persistence;
}

/** Most events in one page. */
export const PAGE = 2_000;

export interface PageOfAll {
  readonly events: readonly ReadEvent[];
  /** Whether the log had no more matching events. */
  readonly is_last: boolean;
  /** The event at `after` itself, when it is under the prefix. */
  readonly at_after: RecordedEvent | undefined;
  readonly source: object;
}

/** Matching events after a position. Throws InvariantBroken when no record begins there. */
export async function pageOfAll(
  sources: AllSources,
  range: { readonly prefix: string; readonly after: Position | null; readonly count: number },
): Promise<PageOfAll> {
  const { prefix, after } = range;
  const count = Math.min(range.count, PAGE);
  // A read from a position begins with the event that stands there.
  const page = await read(
    sources,
    after === null
      ? { of: 'all', from: 'start', prefix, count }
      : { of: 'all', from: after, prefix, count: count + 1 },
  );
  const first = page.events[0];
  const isFirstAt = first !== undefined && after !== null && isSame(first.position, after);
  const skip = isFirstAt ? 1 : 0;
  const events = page.events.slice(skip, skip + count);
  for (const { event } of events) requireWhole(event);
  const at_after = isFirstAt ? first.event : undefined;
  return { events, is_last: page.is_last, at_after, source: page.source };
}

const isSame = (a: Position, b: Position): boolean => comparePositions(a, b) === 0;

export interface Head {
  /** Of the last record; undefined in an empty log. */
  readonly position: Position | undefined;
  readonly source: object;
}

export async function headOfLog(sources: AllSources): Promise<Head> {
  const page = await read(sources, { of: 'all', from: 'end', backwards: true, count: 1 });
  return { position: page.events[0]?.position, source: page.source };
}

/** Throws InvariantBroken when no event stands at the position: the log lost its tail. */
export async function requireThere(sources: AllSources, position: Position): Promise<void> {
  const page = await read(sources, { of: 'all', from: position, count: 1 });
  const there = page.events[0];
  if (there !== undefined && isSame(there.position, position)) return;
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
    const page = await read(sources, { of: 'all', from: at, count: 1 });
    const there = page.events[0]?.event;
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
  const { prefix, batch_size: count } = range;
  let after = range.after === null ? null : requirePosition(range.after);
  const until = range.until === undefined ? undefined : requirePosition(range.until);
  if (after !== null) await requireThere(sources, after);
  const { position: head } = await headOfLog(sources);
  if (head === undefined) return;
  const end = until !== undefined && comparePositions(until, head) < 0 ? until : head;

  while (after === null || comparePositions(after, end) < 0) {
    const page = await pageOfAll(sources, { prefix, after, count });
    const events = page.events.filter(({ position }) => comparePositions(position, end) <= 0);
    if (events.length > 0) yield events.map(({ event }) => event);
    if (page.is_last || events.length < page.events.length) return;
    after = page.events.at(-1)!.position;
  }
}

async function read(
  { pages, persistence }: AllSources,
  request: Extract<PageRequest, { of: 'all' }>,
): Promise<Page> {
  return persist(persistence, async () => {
    try {
      return await pages.read(request, persistence.signal);
    } catch (error) {
      // "Error" up to 23.10, "InvalidPosition" from 24 on.
      if (error instanceof Error && /Unexpected (?:Filtered)?ReadAllResult/.test(error.message)) {
        throw new InvariantBroken(`no record begins where the log is read from: ${error.message}`);
      }
      throw error;
    }
  });
}

/** The revision of a tombstone is no number that we could have. */
function requireWhole({ stream, revision }: RecordedEvent): void {
  if (Number.isSafeInteger(revision)) return;
  throw new InvariantBroken(`${stream}: history is gone, it is tombstoned`);
}
