import type { Instant } from '#libs/contracts';
import { int2Array, int4Array, int8Array } from '#libs/platform';
import type pg from 'pg';
import { readFairly, type Cursor, type Feed } from '../delivery/cursor.js';
import type { ReceivedMessage } from '../port.js';
import { decodeBatch, receive, type BatchPlace, type BusRecord } from './record-batch.js';
import { createRecentBatches } from './recent-batches.js';
import type { Topics } from './schema.js';

interface EmbeddedFeed extends Feed {
  /** This process has appended a batch. */
  appended(place: BatchPlace, records: readonly BusRecord[]): void;
  /** Another process has appended to these topics, or may have. */
  appendedElsewhere(topics: readonly string[]): void;
}

/** A reader asks the database at least this often, should it have missed what another process did. */
const IDLE_MS = 250;
const RECENT_MESSAGES = 20_000;
const RECENT_BYTES = 64_000_000;
const POLL_BATCHES = 64;
const POLL_BYTES = 8_000_000;

/** What is known of a partition's end. */
interface End {
  /** All offsets below are known to be there. */
  known: number;
  /** State of the topic when the database was last read to the end. */
  seen: number;
}

interface TopicState {
  /** Raised when another process may have appended. */
  version: number;
  raised_at: number;
  readonly ends: End[];
  readonly rings: Set<() => void>;
}

/** Reads from memory what this process has appended, and everything else from the database. */
export function createFeed(pool: pg.Pool, topics: Topics): EmbeddedFeed {
  const recent = createRecentBatches(RECENT_MESSAGES, RECENT_BYTES);
  const states = new Map<string, TopicState>();
  /** What was read from the database for a cursor beyond what was asked for. */
  const fetched = new WeakMap<Cursor, ReceivedMessage[]>();

  const stateOf = (topic: string): TopicState => {
    const state = states.get(topic) ?? {
      version: 1,
      raised_at: performance.now(),
      ends: Array.from({ length: topics.partitions }, () => ({ known: 0, seen: 0 })),
      rings: new Set(),
    };
    states.set(topic, state);
    return state;
  };
  const endOf = (cursor: Cursor) => stateOf(cursor.topic).ends[cursor.partition]!;

  const raise = (topic: string) => {
    const state = stateOf(topic);
    state.version++;
    state.raised_at = performance.now();
    for (const ring of state.rings) ring();
  };

  /** Index in the fetched of the message that the cursor needs next, and how many there are from it. */
  const fetchedFrom = (cursor: Cursor) => {
    const messages = fetched.get(cursor);
    const index = messages === undefined ? 0 : cursor.next - (messages[0]?.offset ?? 0);
    return { messages: messages ?? [], index, left: (messages?.length ?? 0) - index };
  };

  const inMemory = (cursor: Cursor): number => {
    const { left } = fetchedFrom(cursor);
    if (left > 0) return left;
    fetched.delete(cursor);
    return recent.available(cursor.topic, cursor.partition, cursor.next);
  };

  const mustPoll = (cursor: Cursor) => {
    if (inMemory(cursor) > 0) return false;
    const end = endOf(cursor);
    return cursor.next < end.known || end.seen < stateOf(cursor.topic).version;
  };

  const poll = async (cursors: readonly Cursor[]) => {
    const versions = cursors.map((cursor) => stateOf(cursor.topic).version);
    const found = await readBatches(pool, topics, cursors);
    for (const [index, cursor] of cursors.entries()) {
      const { messages, is_complete } = found[index]!;
      const end = endOf(cursor);
      end.known = Math.max(end.known, (messages.at(-1)?.offset ?? -1) + 1);
      if (is_complete) end.seen = Math.max(end.seen, versions[index]!);
      if (messages.length > 0) fetched.set(cursor, messages);
    }
  };

  return {
    idle_ms: IDLE_MS,
    async read(cursors, max) {
      const now = performance.now();
      for (const topic of new Set(cursors.map((cursor) => cursor.topic))) {
        const state = stateOf(topic);
        if (now - state.raised_at < IDLE_MS) continue;
        state.version++;
        state.raised_at = now;
      }
      const stale = cursors.filter(mustPoll);
      if (stale.length > 0) await poll(stale);
      return readFairly(cursors, max, inMemory, (cursor, count) => {
        const { messages, index, left } = fetchedFrom(cursor);
        if (left > 0) return messages.slice(index, index + count);
        return recent.take(cursor.topic, cursor.partition, cursor.next, count);
      });
    },
    watch(names, ring) {
      for (const name of names) {
        stateOf(name).rings.add(ring);
        raise(name); // what was appended while nobody read was not noted
      }
      return () => {
        for (const name of names) stateOf(name).rings.delete(ring);
      };
    },
    appended(place, records) {
      const state = stateOf(place.topic);
      if (state.rings.size === 0) return;
      recent.add(receive(records, place));
      const end = state.ends[place.partition]!;
      end.known = Math.max(end.known, place.base + records.length);
      for (const ring of state.rings) ring();
    },
    appendedElsewhere(names) {
      for (const name of names) if (states.has(name)) raise(name);
    },
  };
}

interface Found {
  readonly messages: ReceivedMessage[];
  /** Nothing was left behind. */
  readonly is_complete: boolean;
}

interface BatchRow {
  readonly i: bigint;
  readonly base_offset: bigint;
  readonly at: Instant;
  readonly payload: string;
  readonly is_last: boolean;
}

/** The next batches of many cursors in one statement, limited in number and bytes per cursor. */
export async function readBatches(
  pool: pg.Pool,
  topics: Topics,
  cursors: readonly Pick<Cursor, 'topic' | 'partition' | 'next'>[],
): Promise<Found[]> {
  const { rows } = await pool.query<BatchRow>({
    name: 'bus-poll',
    text: `
      select c.i, b.base_offset, b.at, b.payload, b.is_last
      from unnest($1::int2[], $2::int4[], $3::int8[]) with ordinality c(topic, partition, next, i)
      cross join lateral (
        select x.base_offset, x.last_offset, x.at, x.payload,
          lead(x.last_offset) over w is null and count(*) over () < $4 as is_last,
          sum(x.bytes) over w - x.bytes as bytes_before
        from (
          select * from bus.batch y
          where y.topic = c.topic and y.partition = c.partition and y.last_offset >= c.next
          order by y.last_offset limit $4) x
        window w as (order by x.last_offset)) b
      where b.bytes_before < $5
      order by c.i, b.last_offset`,
    values: [
      int2Array(cursors.map((cursor) => topics.idOf(cursor.topic))),
      int4Array(cursors.map((cursor) => cursor.partition)),
      int8Array(cursors.map((cursor) => cursor.next)),
      POLL_BATCHES,
      Math.ceil(POLL_BYTES / cursors.length),
    ],
  });
  const found = cursors.map(() => ({ messages: [] as ReceivedMessage[], is_complete: true }));
  for (const row of rows) {
    const index = Number(row.i) - 1;
    const { topic, partition, next } = cursors[index]!;
    const base = Number(row.base_offset);
    const messages = decodeBatch(row.payload, { topic, partition, base, timestamp: row.at });
    const one = found[index]!;
    for (const message of messages) if (message.offset >= next) one.messages.push(message);
    one.is_complete = row.is_last;
  }
  return found;
}
