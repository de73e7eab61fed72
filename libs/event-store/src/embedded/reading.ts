import type pg from 'pg';
import type { RecordedEvent } from '../port.js';
import { requireWithinLog } from '../position.js';
import { AS_TEXT } from './append-call.js';

/** What one page may hold, besides its number of events; the first event always comes. */
const PAGE_BYTES = 8_000_000;

type EventRow = [
  position: string,
  stream: string,
  revision: string,
  event_id: string,
  type: string,
  data: string,
  meta: string,
];

/** Positions of one window that a page of one prefix looks at, so that no query runs for long. */
const WINDOW = 10_000;

const PAGE_OF_ALL = 'select * from events.page_of_all($1, $2, $3, $4, $5)';
const PAGE_OF_STREAM = 'select * from events.page_of_stream($1, $2, $3, $4)';
const LAST_OF_STREAM = 'select * from events.last_of_stream($1)';
const HEAD = 'select coalesce(max(position), 0) from events.event';

const HOLDS = `
select exists (select from events.event where position = $1::bigint and event_id::text = $2)`;

async function rowsOf<R extends unknown[]>(
  pool: pg.Pool,
  name: string,
  text: string,
  values: unknown[],
): Promise<R[]> {
  const { rows } = await pool.query<R>({ name, text, values, rowMode: 'array', types: AS_TEXT });
  return rows;
}

const eventOf = ([position, stream, revision, event_id, type, data, meta]: EventRow) => ({
  event_id,
  type,
  data,
  meta,
  stream,
  revision: Number(revision),
  position,
});

export interface PageOfAll {
  readonly events: readonly RecordedEvent[];
  /** No other event under the prefix stands between the start and this position. */
  readonly read_to: number;
  /** The last position of the log. */
  readonly head: number;
}

/** Throws InvariantBroken when the log ends before `after`. */
export async function pageOfAll(
  pool: pg.Pool,
  range: { prefix: string; after: number; until: number; count: number },
): Promise<PageOfAll> {
  const { prefix, after, until, count } = range;
  const window_end = Math.min(until, after + Math.max(WINDOW, count));
  const values = [after, window_end, prefix, count, PAGE_BYTES];
  const rows = await rowsOf<EventRow>(pool, 'events_page_of_all', PAGE_OF_ALL, values);
  const head = Number(rows[0]![0]);
  requireWithinLog(after, head);
  const events = rows.slice(1).map(eventOf);
  const last = events.at(-1);
  const read_to = last === undefined ? Math.min(window_end, head) : Number(last.position);
  return { events, read_to, head };
}

interface PageOfStream {
  readonly events: readonly RecordedEvent[];
  /** Certain that no event of the stream followed at the time of the reading. */
  readonly ended: boolean;
}

export async function pageOfStream(
  pool: pg.Pool,
  stream: string,
  from: number,
  count: number,
): Promise<PageOfStream> {
  const values = [stream, from, count, PAGE_BYTES];
  const rows = await rowsOf<EventRow>(pool, 'events_page_of_stream', PAGE_OF_STREAM, values);
  const events = rows.map(eventOf);
  // At most 3 bytes of UTF-8 per unit of UTF-16: less than this was not cut for its size.
  const units = events.reduce((sum, event) => sum + event.data.length, 0);
  const whole = 3 * units < PAGE_BYTES || events.length === 0;
  return { events, ended: events.length < count && whole };
}

export async function lastOfStream(pool: pg.Pool, stream: string) {
  const rows = await rowsOf<EventRow>(pool, 'events_last_of_stream', LAST_OF_STREAM, [stream]);
  return rows.map(eventOf)[0];
}

export async function headOfLog(pool: pg.Pool): Promise<number> {
  const rows = await rowsOf<[string]>(pool, 'events_head', HEAD, []);
  return Number(rows[0]![0]);
}

export async function holdsAt(pool: pg.Pool, position: number, event_id: string): Promise<boolean> {
  const rows = await rowsOf<[string]>(pool, 'events_holds', HOLDS, [position, event_id]);
  return rows[0]![0] === 't';
}
