import { int2Array, int4Array, int8Array, isRetriable } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Cursor, Feed } from '../delivery/cursor.js';
import { startMember, type MemberSettings } from '../delivery/member.js';
import type { Consumer } from '../port.js';
import type { Topics } from './schema.js';
import { openSession } from './session.js';

interface GroupSettings extends MemberSettings {
  readonly on_error: (error: unknown) => void;
}

const CHANNEL = 'bus_group';
/** Session locks of group g: class LOCKS + g; the partitions, and from MEMBERS on the members. */
const LOCKS = 0x6275_0000;
const MEMBERS = 1_000_000;
/** A member whose connection has ended is missed after this long at the latest. */
const TICK_MS = 1_000;
const CLOSE_ATTEMPTS = 5;
const CLOSE_PAUSE_MS = 200;

/**
 * One member of a group. A partition is held by a session lock, which is gone when its connection is:
 * a lease without a clock. Who takes it raises the epoch, and no commit under an older one counts.
 * Each member counts the others by their locks, takes its share, and gives back what is more.
 */
export async function joinGroup(
  pool: pg.Pool,
  topics: Topics,
  feed: Feed,
  settings: GroupSettings,
): Promise<Consumer> {
  const group = await groupId(pool, topics, settings);
  const held = new Map<number, readonly Cursor[]>();
  const releasing = new Set<number>();
  /** Released, but their locks not yet given back. */
  const finished = new Set<number>();
  let slot = -1;
  let closing = false;

  const opened = async (client: pg.ClientBase) => {
    slot = await takeSlot(client, group);
    await notify(client, group);
  };

  const lost = () => {
    held.clear();
    releasing.clear();
    finished.clear();
    member.lose(member.held());
  };

  const release = async (partition: number, cursors: readonly Cursor[] | undefined) => {
    releasing.add(partition);
    await member.release(partition);
    if (held.get(partition) !== cursors) return; // lost, and perhaps taken again, meanwhile
    finished.add(partition);
    session.wake();
  };

  /** Only here are partitions given back, so that the connection has one query at a time. */
  const giveBack = async (client: pg.ClientBase) => {
    const partitions = [...finished];
    if (partitions.length === 0) return;
    for (const partition of partitions) {
      held.delete(partition);
      releasing.delete(partition);
      finished.delete(partition);
    }
    await client.query('select pg_advisory_unlock($1, p) from unnest($2::int4[]) p', [
      LOCKS + group,
      int4Array(partitions),
    ]);
    await notify(client, group);
  };

  const tick = async (client: pg.ClientBase) => {
    await giveBack(client);
    if (closing) return;
    const locks = await readLocks(client, group);
    const members = locks.filter((key) => key >= MEMBERS).toSorted((a, b) => a - b);
    const rank = members.indexOf(MEMBERS + slot);
    const remainder = topics.partitions % members.length;
    const quota = Math.floor(topics.partitions / members.length) + (rank < remainder ? 1 : 0);
    const kept = [...held.keys()].filter((partition) => !releasing.has(partition));
    for (const partition of kept.slice(quota)) {
      release(partition, held.get(partition)).catch(settings.on_error);
    }
    const taken = new Set(locks);
    const free = Array.from({ length: topics.partitions }, (_, partition) => partition).filter(
      (partition) => !taken.has(partition),
    );
    const wanted = free.slice(0, Math.max(0, quota - kept.length));
    if (wanted.length === 0) return;
    const cursors = await takePartitions(client, topics, group, settings.topics, wanted);
    for (const partition of new Set(cursors.map((cursor) => cursor.partition))) {
      held.set(
        partition,
        cursors.filter((cursor) => cursor.partition === partition),
      );
    }
    member.take(cursors);
  };

  const commit = async (cursors: readonly Cursor[]) => {
    const fenced = await commitOffsets(pool, topics, group, cursors);
    for (const partition of new Set(fenced.map((cursor) => cursor.partition))) {
      member.lose(held.get(partition) ?? []);
      if (held.has(partition)) finished.add(partition);
    }
    if (fenced.length > 0) session.wake();
    return fenced;
  };

  const member = startMember(settings, feed, commit);
  const session = openSession(pool, {
    channel: CHANNEL,
    opened,
    lost,
    tick,
    leave: (client) => leave(client, group),
    interval_ms: TICK_MS,
    retry: settings.retry,
    on_error: settings.on_error,
  });

  const closeMember = async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await member.close();
      } catch (error) {
        settings.on_error(error);
        if (attempt === CLOSE_ATTEMPTS || !isRetriable(error)) return;
        await sleep(CLOSE_PAUSE_MS * attempt);
      }
    }
  };

  return {
    assigned: member.assigned,
    async close() {
      closing = true;
      await closeMember();
      await session.close();
    },
  };
}

const notify = (client: pg.ClientBase, group: number) =>
  client.query('select pg_notify($1, $2)', [CHANNEL, `${group}`]);

/** Explicitly, so that the others find the locks free when they are notified. */
async function leave(client: pg.ClientBase, group: number): Promise<void> {
  await client.query('select pg_advisory_unlock_all()');
  await notify(client, group);
}

/** The group's number; makes the rows of its offsets. */
async function groupId(pool: pg.Pool, topics: Topics, settings: MemberSettings): Promise<number> {
  // A row that conflicts has taken a number all the same, so only a missing group is tried.
  await pool.query(
    `insert into bus.consumer_group (name) select $1
     where not exists (select from bus.consumer_group where name = $1)
     on conflict (name) do nothing`,
    [settings.group],
  );
  const { rows } = await pool.query<{ id: number }>(
    `with wanted as (select id from bus.consumer_group where name = $1),
     made as (
       insert into bus.consumer_offset (consumer_group, topic, partition)
       select wanted.id, topic, p from wanted, unnest($2::int2[]) topic, generate_series(0, $3 - 1) p
       on conflict do nothing)
     select id from wanted`,
    [settings.group, int2Array(settings.topics.map(topics.idOf)), topics.partitions],
  );
  const id = rows[0]?.id;
  if (id === undefined) throw new Error(`group ${settings.group} vanished`);
  return id;
}

async function takeSlot(client: pg.ClientBase, group: number): Promise<number> {
  for (let slot = 0; ; slot++) {
    const { rows } = await client.query<{ mine: boolean }>(
      'select pg_try_advisory_lock($1, $2) as mine',
      [LOCKS + group, MEMBERS + slot],
    );
    if (rows[0]?.mine === true) return slot;
  }
}

async function readLocks(client: pg.ClientBase, group: number): Promise<number[]> {
  const { rows } = await client.query<{ key: number }>(
    `select objid::int8::int4 as key from pg_locks
     where locktype = 'advisory' and granted and objsubid = 2 and classid = $1::int8::oid
       and database = (select oid from pg_database where datname = current_database())`,
    [LOCKS + group],
  );
  return rows.map((row) => row.key);
}

interface TakenRow {
  readonly topic: number;
  readonly partition: number;
  readonly epoch: bigint;
  readonly next_offset: bigint | null;
  readonly end_offset: bigint;
}

/** Those of the wanted partitions that nobody else was faster to take. */
async function takePartitions(
  client: pg.ClientBase,
  topics: Topics,
  group: number,
  names: readonly string[],
  wanted: readonly number[],
): Promise<Cursor[]> {
  const locked = await client.query<{ partition: number }>(
    `select partition from unnest($2::int4[]) partition where pg_try_advisory_lock($1, partition)`,
    [LOCKS + group, int4Array(wanted)],
  );
  const { rows } = await client.query<TakenRow>(
    `update bus.consumer_offset o set epoch = o.epoch + 1 from bus.partition p
     where o.consumer_group = $1 and o.topic = any($2) and o.partition = any($3)
       and p.topic = o.topic and p.partition = o.partition
     returning o.topic, o.partition, o.epoch, o.next_offset, p.next_offset as end_offset`,
    [group, int2Array(names.map(topics.idOf)), int4Array(locked.rows.map((row) => row.partition))],
  );
  return rows.map((row) => {
    const topic = topics.nameOf(row.topic);
    const next = Number(row.next_offset ?? 0n);
    if (next > Number(row.end_offset)) {
      throw new Error(`${topic}/${row.partition} ends before ${next}: the log has lost its end`);
    }
    const { partition } = row;
    return { topic, partition, epoch: Number(row.epoch), next, committed: next, lost: false };
  });
}

/** Answers the cursors whose partitions are another's by now. */
async function commitOffsets(
  pool: pg.Pool,
  topics: Topics,
  group: number,
  cursors: readonly Cursor[],
): Promise<readonly Cursor[]> {
  const { rows } = await pool.query<{ topic: number; partition: number }>({
    name: 'bus-commit',
    text: `
      update bus.consumer_offset o set next_offset = u.next
      from unnest($2::int2[], $3::int4[], $4::int8[], $5::int8[]) u(topic, partition, next, epoch)
      where o.consumer_group = $1 and o.topic = u.topic and o.partition = u.partition
        and o.epoch = u.epoch and coalesce(o.next_offset, 0) <= u.next
      returning o.topic, o.partition`,
    values: [
      group,
      int2Array(cursors.map((cursor) => topics.idOf(cursor.topic))),
      int4Array(cursors.map((cursor) => cursor.partition)),
      int8Array(cursors.map((cursor) => cursor.next)),
      int8Array(cursors.map((cursor) => cursor.epoch)),
    ],
  });
  const done = new Set(rows.map((row) => `${row.partition} ${topics.nameOf(row.topic)}`));
  return cursors.filter((cursor) => !done.has(`${cursor.partition} ${cursor.topic}`));
}
