import type pg from 'pg';
import { int4Array, textArray, uuidArray } from '#libs/platform';
import type { AppendResult, RecordedEvent, StreamAppend } from '../port.js';
import { positionText } from '../position.js';

/** Told of events as soon as they are committed, in the order of their positions. */
export type OnCommitted = (before: number, events: readonly RecordedEvent[]) => void;

type Row = [appended: string, revision: string | null, before: string | null];

const APPEND = 'select * from events.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)';
/** Every value as the text that came: `pg` would make a bigint of each position. */
export const AS_TEXT = { getTypeParser: () => (text: string) => text };

/**
 * Appends in one round trip; no stream may occur twice. Rejects when it is unknown whether and what
 * was written.
 */
export async function appendCall(
  pool: pg.Pool,
  appends: readonly StreamAppend[],
  timeout_ms: number,
  onCommitted: OnCommitted,
): Promise<AppendResult[]> {
  const query = {
    name: 'events_append',
    text: APPEND,
    values: parametersOf(appends),
    rowMode: 'array',
    types: AS_TEXT,
    query_timeout: timeout_ms,
  };
  const { rows } = await pool.query<Row>(query);

  const [first] = rows;
  if (first?.[1] === null) {
    commit(appends, Number(first[2]), onCommitted);
    return appends.map((append) => appended(lastRevision(append)));
  }
  if (rows.length !== appends.length) throw new Error('the answer does not match the appends');
  const written = appends.filter((_, n) => rows[n]![2] !== null);
  const before = rows.find((row) => row[2] !== null)?.[2];
  if (before !== undefined) commit(written, Number(before), onCommitted);
  return rows.map(([ok, revision]) =>
    ok === 't'
      ? appended(Number(revision))
      : { kind: 'conflict', actual_revision: Number(revision) },
  );
}

const appended = (revision: number): AppendResult => ({ kind: 'appended', revision });
const lastRevision = (append: StreamAppend) => append.expected_revision + append.events.length;

function parametersOf(appends: readonly StreamAppend[]): Buffer[] {
  const owner: number[] = [];
  const stream: string[] = [];
  const revision: number[] = [];
  for (const [n, append] of appends.entries()) {
    for (let next = 1; next <= append.events.length; next += 1) {
      owner.push(n + 1);
      stream.push(append.stream);
      revision.push(append.expected_revision + next);
    }
  }
  const events = appends.flatMap((append) => append.events);
  return [
    textArray(appends.map((append) => append.stream)),
    int4Array(appends.map((append) => append.expected_revision)),
    int4Array(appends.map((append) => append.events.length)),
    int4Array(owner),
    textArray(stream),
    int4Array(revision),
    uuidArray(events.map((event) => event.event_id)),
    textArray(events.map((event) => event.type)),
    textArray(events.map((event) => event.data)),
    textArray(events.map((event) => event.meta)),
  ];
}

function commit(appends: readonly StreamAppend[], before: number, onCommitted: OnCommitted): void {
  let position = before;
  const recorded = appends.flatMap(({ stream, expected_revision, events }) =>
    events.map(({ event_id, type, data, meta }, n): RecordedEvent => {
      position += 1;
      const revision = expected_revision + 1 + n;
      return { event_id, type, data, meta, stream, revision, position: positionText(position) };
    }),
  );
  onCommitted(before, recorded);
}
