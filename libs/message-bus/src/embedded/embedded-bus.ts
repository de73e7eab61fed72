import { randomUUID } from 'node:crypto';
import { type Backoff, int2Array } from '#libs/platform';
import type pg from 'pg';
import { openConsumers } from '../delivery/open-consumers.js';
import { startTail } from '../delivery/tail.js';
import type { MessageBus, PartitionPosition, ReceivedMessage } from '../port.js';
import { CHANNEL, createAnnouncer, LISTENER_LOCK } from './announcer.js';
import { createAppender } from './appender.js';
import { createFeed, readBatches } from './feed.js';
import { joinGroup } from './group.js';
import { prepare, type Topics } from './schema.js';
import { openSession, type Session } from './session.js';

export interface EmbeddedBusOptions {
  /** Made when missing. */
  readonly topics: readonly string[];
  /** Of every topic, fixed for life; default 16. */
  readonly partitions?: number;
  /** Pause before a failed batch, append or connection is tried again. */
  readonly retry?: Backoff;
  /** Handler calls of one consumer that may run at the same time; default 1. */
  readonly lanes?: number;
  /** Pause between two commits of offsets; what was not committed is delivered again. */
  readonly commit_interval_ms?: number;
  /** Longest time from publish to its answer, over outages and a full queue. */
  readonly publish_timeout_ms?: number;
  readonly max_queued_messages?: number;
  readonly max_queued_bytes?: number;
  /** Told of lost connections, of failed appends, and of what the handler of a tail throws. */
  readonly on_error?: (error: unknown) => void;
}

const RETRY: Backoff = { min_ms: 50, max_ms: 5_000 };
const HEALTH_INTERVAL_MS = 5_000;

/**
 * The bus in tables of Postgres (schema `bus`). Takes one connection of the pool while anything here
 * is consumed or tailed, one more per consumer, and up to three for a moment.
 */
export async function embeddedMessageBus(
  pool: pg.Pool,
  options: EmbeddedBusOptions,
): Promise<MessageBus> {
  const retry = options.retry ?? RETRY;
  const on_error =
    options.on_error ?? ((error: unknown) => process.emitWarning(`message bus: ${String(error)}`));
  const id = randomUUID();
  const topics = await prepare(pool, options.topics, options.partitions ?? 16);
  const feed = createFeed(pool, topics);
  const consumers = openConsumers();
  let listener: Session | undefined;
  let closed = false;

  const announcer = createAnnouncer(pool, id, () => listener !== undefined, on_error);
  const limits = {
    max_queued_messages: options.max_queued_messages ?? 100_000,
    max_queued_bytes: options.max_queued_bytes ?? 64_000_000,
    publish_timeout_ms: options.publish_timeout_ms ?? 30_000,
    retry,
    on_error,
  };
  const appender = createAppender(pool, topics, limits, (place, records) => {
    feed.appended(place, records);
    announcer.announce(place.topic);
  });

  const listen = () => {
    if (closed) throw new Error('the message bus is closed');
    listener ??= openSession(pool, {
      channel: CHANNEL,
      async opened(client) {
        const { class: lock_class, object } = LISTENER_LOCK;
        await client.query('select pg_advisory_lock_shared($1, $2)', [lock_class, object]);
        feed.appendedElsewhere(options.topics); // while nobody listened
      },
      async tick(client, payloads) {
        if (payloads.length === 0) await client.query('select 1');
        for (const payload of payloads) {
          const [sender, ...names] = payload.split('\n');
          if (sender !== id) feed.appendedElsewhere(names);
        }
      },
      lost() {},
      async leave() {},
      interval_ms: HEALTH_INTERVAL_MS,
      retry,
      on_error,
    });
  };

  return {
    publish: (topic, messages) => appender.publish(topic, messages),
    async consume(wanted) {
      listen();
      const settings = {
        ...wanted,
        retry,
        lanes: options.lanes ?? 1,
        commit_interval_ms: options.commit_interval_ms ?? 100,
        on_error,
      };
      return consumers.keep(await joinGroup(pool, topics, feed, settings));
    },
    async tail(topic, handler) {
      listen();
      const from = (await readEnds(pool, topics, topic)).map(({ end }) => end);
      return consumers.keep(startTail({ topic, from, handler, on_error }, feed));
    },
    scan: (topic) => scan(pool, topics, topic),
    positions: (group, names) => readPositions(pool, topics, group, names),
    async close() {
      closed = true;
      await consumers.close();
      await appender.close();
      await announcer.close();
      await listener?.close();
    },
  };
}

interface PositionRow {
  readonly topic: number;
  readonly partition: number;
  readonly begin_offset: bigint | null;
  readonly end_offset: bigint;
  readonly committed: bigint | null;
}

async function readPositions(
  pool: pg.Pool,
  topics: Topics,
  group: string,
  names: readonly string[],
): Promise<PartitionPosition[]> {
  const { rows } = await pool.query<PositionRow>(
    `select p.topic, p.partition, p.next_offset as end_offset, o.next_offset as committed,
       (select b.base_offset from bus.batch b where b.topic = p.topic and b.partition = p.partition
        order by b.last_offset limit 1) as begin_offset
     from bus.partition p
     left join bus.consumer_group g on g.name = $1
     left join bus.consumer_offset o
       on o.consumer_group = g.id and o.topic = p.topic and o.partition = p.partition
     where p.topic = any($2) order by p.topic, p.partition`,
    [group, int2Array(names.map(topics.idOf))],
  );
  return rows.map((row) => ({
    topic: topics.nameOf(row.topic),
    partition: row.partition,
    begin: Number(row.begin_offset ?? row.end_offset),
    end: Number(row.end_offset),
    committed: row.committed === null ? null : Number(row.committed),
  }));
}

const readEnds = (pool: pg.Pool, topics: Topics, topic: string) =>
  readPositions(pool, topics, '', [topic]);

async function* scan(
  pool: pg.Pool,
  topics: Topics,
  topic: string,
): AsyncIterable<readonly ReceivedMessage[]> {
  for (const { partition, begin, end } of await readEnds(pool, topics, topic)) {
    for (let next = begin; next < end;) {
      const cursor = { topic, partition, next };
      const [found] = await readBatches(pool, topics, [cursor]);
      const page = (found?.messages ?? []).filter((message) => message.offset < end);
      if (page.length === 0) throw new Error(`${topic}/${partition} has nothing at ${next}`);
      yield page;
      next += page.length;
    }
  }
}
