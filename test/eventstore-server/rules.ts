import { randomUUID } from 'node:crypto';
import { TOMBSTONE, type ProposedEvent, type Store, type StoredEvent } from './store.js';

export type ExpectedRevision = 'any' | 'no_stream' | 'stream_exists' | number;

export type Written =
  /** `revision` is -1 when there is no stream, `position` is missing when the event is unreadable. */
  | { readonly kind: 'written'; readonly revision: number; readonly position?: number }
  /** -1: there is no stream. */
  | { readonly kind: 'wrong_expected_version'; readonly current: number }
  | { readonly kind: 'stream_deleted' };

/** The repeat of a write that is not indexed yet: the server drops it, and its answer is a timeout. */
export interface NotReady {
  readonly kind: 'not_ready';
}

type Check =
  | { readonly kind: 'ok' }
  | { readonly kind: 'there_already'; readonly last: number }
  | NotReady
  | Exclude<Written, { kind: 'written' }>;

/** 2^63 - 1, which a JavaScript number rounds up. */
const FOR_EVER = 9.2e18;

export const isSoftDeleted = (store: Store, stream: string): boolean =>
  (store.metadata(stream).$tb ?? 0) >= FOR_EVER;

export const isTombstoned = (store: Store, stream: string): boolean =>
  store.stream(stream)?.tombstone !== undefined ||
  // The metadata end with their stream.
  (stream.startsWith('$$') && store.stream(stream.slice(2))?.tombstone !== undefined);

/** Of the events that reads show. */
export const lastRevision = (store: Store, stream: string): number =>
  (store.stream(stream)?.indexed ?? 0) - 1;

/** Of all events, also those that are not indexed yet: what appends are checked against. */
const headRevision = (store: Store, stream: string): number =>
  (store.stream(stream)?.events.length ?? 0) - 1;

/** The revision of the first event that a read may show. */
export function firstVisible(store: Store, stream: string): number {
  const { $tb = 0, $maxCount, $maxAge } = store.metadata(stream);
  const { events = [], indexed = 0 } = store.stream(stream) ?? {};
  let first = Math.max(0, $tb, $maxCount === undefined ? 0 : indexed - $maxCount);
  if ($maxAge === undefined) return first;
  const oldest = (Date.now() - $maxAge * 1000) * 10_000;
  while (first < indexed && Number(events[first]!.created) < oldest) first += 1;
  return first;
}

/** The server's decision table for an append (IndexWriter.CheckCommit). */
function check(
  store: Store,
  stream: string,
  expected: ExpectedRevision,
  ids: readonly string[],
): Check {
  if (isTombstoned(store, stream)) return { kind: 'stream_deleted' };
  const current = headRevision(store, stream);
  const wrong: Check = { kind: 'wrong_expected_version', current };

  if (expected === 'stream_exists') {
    if (isSoftDeleted(store, stream)) return { kind: 'stream_deleted' };
    if (current < 0 && headRevision(store, `$$${stream}`) < 0) return wrong;
  }
  if (expected === 'any' || expected === 'stream_exists') {
    const known = ids.map((id) => store.firstRevisionOf(stream, id));
    if (known[0] === undefined) return { kind: 'ok' };
    if (known.includes(undefined)) return wrong;
    return thereAlready(store, stream, known.at(-1)!);
  }

  const at = expected === 'no_stream' ? -1 : expected;
  if (at === current) return { kind: 'ok' };
  if (at > current || ids.length === 0) return wrong;
  const events = store.stream(stream)?.events ?? [];
  const differs = ids.findIndex((id, n) => events[at + 1 + n]?.id !== id);
  if (differs === -1) return thereAlready(store, stream, at + ids.length);
  if (differs === 0 && at === -1 && isSoftDeleted(store, stream)) return { kind: 'ok' };
  return wrong;
}

const thereAlready = (store: Store, stream: string, last: number): Check =>
  last > lastRevision(store, stream) ? { kind: 'not_ready' } : { kind: 'there_already', last };

/** To be called within `store.submit`. */
export function append(
  store: Store,
  stream: string,
  expected: ExpectedRevision,
  events: readonly ProposedEvent[],
): Written | NotReady {
  const ids = events.map((event) => event.id);
  const decision = check(store, stream, expected, ids);
  switch (decision.kind) {
    case 'stream_deleted':
    case 'wrong_expected_version':
    case 'not_ready':
      return decision;
    case 'there_already':
      return { kind: 'written', revision: decision.last, ...placeOf(store, stream, decision.last) };
    case 'ok': {
      const current = headRevision(store, stream);
      if (events.length === 0)
        return { kind: 'written', revision: current, position: store.skip() };
      const { revision, position } = store.write(stream, events).at(-1)!;
      if (isSoftDeleted(store, stream)) undelete(store, stream, current + 1);
      return { kind: 'written', revision, position };
    }
  }
}

function placeOf(store: Store, stream: string, revision: number): { position?: number } {
  const event = store.stream(stream)?.events[revision];
  if (event === undefined || revision < firstVisible(store, stream)) return {};
  return { position: event.position };
}

function undelete(store: Store, stream: string, $tb: number): void {
  writeMetadata(store, stream, JSON.stringify({ ...store.metadata(stream), $tb }));
}

function writeMetadata(store: Store, stream: string, json: string): StoredEvent {
  const event: ProposedEvent = {
    id: randomUUID(),
    type: '$metadata',
    is_json: true,
    data: Buffer.from(json),
    metadata: Buffer.alloc(0),
  };
  return store.write(`$$${stream}`, [event])[0]!;
}

/** Hides a stream's events; a later append brings it back without them. Within `store.submit`. */
export function softDelete(store: Store, stream: string, expected: ExpectedRevision): Written {
  if (isTombstoned(store, stream)) return { kind: 'stream_deleted' };
  const current = headRevision(store, stream);
  const fits = expected === 'any' || expected === 'stream_exists' || expected === current;
  if (current < 0 || !fits) return { kind: 'wrong_expected_version', current };
  const { position } = writeMetadata(store, stream, '{"$tb":9223372036854775807}');
  return { kind: 'written', revision: current, position };
}

/** Ends a stream for ever. Within `store.submit`. */
export function tombstone(store: Store, stream: string, expected: ExpectedRevision): Written {
  const decision = check(store, stream, expected, [randomUUID()]);
  if (decision.kind === 'stream_deleted' || decision.kind === 'wrong_expected_version') {
    return decision;
  }
  return { kind: 'written', revision: TOMBSTONE, position: store.writeTombstone(stream).position };
}
