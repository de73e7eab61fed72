import { InvariantBroken } from '#libs/contracts';
import type { RecordedEvent } from '../port.js';
import { Silence } from './connection.js';
import { pageOfLog, type AllSources } from './log-pages.js';
import type { Page } from './pages.js';
import { persist } from './persistence.js';
import { comparePositions, type Position } from './position.js';
import type { ReadEvent } from './read-codec.js';

/** Most events in one page. */
export const PAGE = 2_000;

export interface PageOfAll {
  /** Those under the prefix. */
  readonly events: readonly ReadEvent[];
  /** Whether the log had no more of them. */
  readonly is_last: boolean;
  /** The event at the position after which the page was read, when it is under the prefix. */
  readonly at_after: RecordedEvent | undefined;
  /** Nothing under the prefix stands between the page and here. */
  readonly read_to: Position | null;
  /** The event at `read_to`, when it is under the prefix. */
  readonly front: RecordedEvent | undefined;
  readonly source: object;
}

interface Search {
  /** The next matching events after a position. Throws InvariantBroken when no record begins there. */
  page(after: Position | null, count: number): Promise<PageOfAll>;
}

/**
 * Searches the log for events under a prefix. The server does so itself, but says nothing while it
 * passes foreign events: a long stretch of them looks like silence, and would be searched from its
 * beginning again and again. So after a silence everything is read, and picked from here, until the log
 * ends: every page gets further, and tells that the server is alive.
 */
export function searchAll(sources: AllSources, prefix: string): Search {
  let is_filtered = true;

  /** With one event more than asked for: a read from a position begins with the one that stands there. */
  async function read(after: Position | null, count: number): Promise<[Page, boolean]> {
    const filtered = is_filtered;
    const from = after ?? 'start';
    const extra = after === null ? 0 : 1;
    try {
      const page = filtered
        ? await pageOfLog(sources, { of: 'all', from, prefix, count: count + extra })
        : await pageOfLog(sources, { of: 'all', from, count: PAGE + extra });
      return [page, filtered];
    } catch (error) {
      if (error instanceof Silence) is_filtered = false;
      throw error;
    }
  }

  return {
    async page(after, count_wanted) {
      const count = Math.min(count_wanted, PAGE);
      const [page, filtered] = await persist(sources.persistence, () => read(after, count));
      const isOurs = ({ event }: ReadEvent) => event.stream.startsWith(prefix);
      const ours = filtered ? page.events : page.events.filter(isOurs);
      const [first] = ours;
      const isAtAfter = after !== null && first !== undefined && isSame(first.position, after);
      const at_after = isAtAfter ? first.event : undefined;
      const found = isAtAfter ? ours.slice(1) : ours;
      const events = found.slice(0, count);
      for (const { event } of events) requireWhole(event);
      const isCut = events.length < found.length;
      const is_last = page.is_last && !isCut;
      is_filtered ||= is_last;
      const last = isCut || filtered ? events.at(-1) : page.events.at(-1);
      return {
        events,
        is_last,
        at_after,
        read_to: last?.position ?? after,
        front: last === undefined ? at_after : isOurs(last) ? last.event : undefined,
        source: page.source,
      };
    },
  };
}

const isSame = (a: Position, b: Position): boolean => comparePositions(a, b) === 0;

/** The revision of a tombstone is no number that we could have. */
function requireWhole({ stream, revision }: RecordedEvent): void {
  if (Number.isSafeInteger(revision)) return;
  throw new InvariantBroken(`${stream}: history is gone, it is tombstoned`);
}
