import { randomUUID } from 'node:crypto';
import { chainOf, followLink, GENESIS, linkEvent } from '#libs/contracts';
import type { LinkedEvent, StreamHead } from '#libs/contracts';
import type { AppendResult, EventStore, RecordedEvent, StreamAppend } from '../port.js';

/** A prefix that no other test, and no earlier run on the same log, has used. */
export const freshPrefix = (): string => `contract-${randomUUID()}-`;

/** Events with these data, one after the other, as the next ones after `head`. */
export function link(head: StreamHead, data: readonly string[], type = 'Noted'): LinkedEvent[] {
  let at = head;
  return data.map((text) => {
    const linked = linkEvent(at, type, text);
    at = linked.head;
    return linked.event;
  });
}

/** Events that say `label` and count, as the next ones after `head`. */
export const notes = (label: string, count: number, head: StreamHead = GENESIS): LinkedEvent[] =>
  link(
    head,
    Array.from({ length: count }, (_, n) => JSON.stringify({ note: `${label} ${n}` })),
  );

/** The head after `events`, the first of which comes after `head`. */
export const headAfter = (
  events: readonly LinkedEvent[],
  head: StreamHead = GENESIS,
): StreamHead =>
  events.length === 0
    ? head
    : { revision: head.revision + events.length, chain: chainOf(events.at(-1)!.meta) };

/** The head as reads show it, which after a conflict may be an earlier one. */
export async function headOf(store: EventStore, stream: string): Promise<StreamHead> {
  const last = await store.readLast(stream);
  return last === undefined
    ? GENESIS
    : headAfter([last], { ...GENESIS, revision: last.revision - 1 });
}

export const appended = (revision: number): AppendResult => ({ kind: 'appended', revision });
export const conflict = (actual_revision: number): AppendResult => ({
  kind: 'conflict',
  actual_revision,
});

/** One stream's append, on its own. */
export async function append(
  store: EventStore,
  stream: string,
  expected_revision: number,
  events: readonly LinkedEvent[],
): Promise<AppendResult> {
  const results = await store.appendMany([{ stream, expected_revision, events }]);
  expect(results).toHaveLength(1);
  return results[0]!;
}

/** A new stream with these events. */
export async function create(
  store: EventStore,
  stream: string,
  events: readonly LinkedEvent[],
): Promise<void> {
  expect(await append(store, stream, -1, events)).toEqual(appended(events.length - 1));
}

export async function createAll(store: EventStore, streams: readonly StreamAppend[]) {
  const results = await store.appendMany(streams);
  expect(results).toEqual(streams.map(({ events }) => appended(events.length - 1)));
}

export async function collect(
  pages: AsyncIterable<readonly RecordedEvent[]>,
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const page of pages) {
    expect(page.length).toBeGreaterThan(0);
    events.push(...page);
  }
  return events;
}

export const readWhole = (store: EventStore, stream: string): Promise<RecordedEvent[]> =>
  collect(store.readStream(stream));

/** What was recorded, without its place in the global order. */
export const contentOf = ({ event_id, type, data, meta }: LinkedEvent): LinkedEvent => ({
  event_id,
  type,
  data,
  meta,
});

/** Holds when the stream consists of exactly these events, byte for byte. */
export async function expectStream(
  store: EventStore,
  stream: string,
  events: readonly LinkedEvent[],
): Promise<void> {
  const recorded = await readWhole(store, stream);
  expect(recorded.map(contentOf)).toEqual(events.map(contentOf));
  expect(recorded.map((event) => event.revision)).toEqual(events.map((_, n) => n));
  expect(new Set(recorded.map((event) => event.stream)).size).toBe(events.length === 0 ? 0 : 1);
}

/**
 * Follows every stream's revisions and chain through a list in global order: throws on a gap, a
 * repetition or a wrong order within any of them. Returns the heads.
 */
export function followAll(events: readonly RecordedEvent[]): Map<string, StreamHead> {
  const heads = new Map<string, StreamHead>();
  for (const event of events) {
    heads.set(event.stream, followLink(heads.get(event.stream) ?? GENESIS, event));
  }
  return heads;
}

/** Whatever a position's form: its numbers with zeros behind lie far beyond the end of the log. */
export const farBeyond = (position: string): string =>
  position.replaceAll(/\d+/g, (digits) => `${digits}0000`);
