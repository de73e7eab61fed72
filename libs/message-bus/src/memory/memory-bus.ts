import type { Backoff } from '#libs/platform';
import { type Cursor, type Feed, readFairly } from '../delivery/cursor.js';
import { type Member, startMember } from '../delivery/member.js';
import { openConsumers } from '../delivery/open-consumers.js';
import { startTail } from '../delivery/tail.js';
import type {
  ConsumeOptions,
  Consumer,
  MessageBus,
  OutgoingMessage,
  PartitionPosition,
  ReceivedMessage,
} from '../port.js';
import { commit, createGroup, join, leave, type MemoryGroup } from './memory-group.js';
import { append, createLog, type TopicLog } from './topic-log.js';

interface MemoryBusOptions {
  readonly topics: readonly string[];
  readonly partitions: number;
  readonly retry?: Backoff;
  readonly lanes?: number;
  /** The broker's clock, in ms since 1970. */
  readonly now_ms?: () => number;
  /** Called with what the handler of a tail throws. */
  readonly on_error?: (error: unknown) => void;
}

/** What lives on when its connections end: as a broker, but gone with the process. */
export interface MemoryBroker {
  connect(): MessageBus;
  /** The broker forgets the members of a connection without its knowing, as when its process dies. */
  cut(bus: MessageBus): void;
  /** The members of a connection lose their partitions, learn of it, and join again. */
  evict(bus: MessageBus): void;
}

interface Session {
  /** Each member, and its group. */
  readonly members: Map<Member, { group: MemoryGroup; topics: readonly string[] }>;
  closed: boolean;
}

const RETRY: Backoff = { min_ms: 100, max_ms: 10_000 };
/** Only a safety net: every append rings. */
const IDLE_MS = 60_000;
const SCAN_PAGE = 1_000;

export const memoryMessageBus = (options: MemoryBusOptions): MessageBus =>
  memoryBroker(options).connect();

export function memoryBroker(options: MemoryBusOptions): MemoryBroker {
  const logs = new Map(
    options.topics.map((topic) => [topic, createLog(topic, options.partitions)]),
  );
  const groups = new Map<string, MemoryGroup>();
  const sessions = new WeakMap<MessageBus, Session>();
  const rings = new Set<() => void>();
  const now_ms = options.now_ms ?? Date.now;
  const on_error =
    options.on_error ?? ((error: unknown) => process.emitWarning(`message bus: ${String(error)}`));

  const logOf = (topic: string): TopicLog => {
    const log = logs.get(topic);
    if (log === undefined) throw new Error(`no such topic: ${topic}`);
    return log;
  };
  const groupOf = (name: string): MemoryGroup => {
    const group = groups.get(name) ?? createGroup(options.partitions);
    groups.set(name, group);
    return group;
  };
  const listOf = (cursor: Cursor) => logOf(cursor.topic).partitions[cursor.partition]!;
  const feed: Feed = {
    idle_ms: IDLE_MS,
    read: async (cursors, max) =>
      readFairly(
        cursors,
        max,
        (cursor) => listOf(cursor).length - cursor.next,
        (cursor, count) => listOf(cursor).slice(cursor.next, cursor.next + count),
      ),
    watch(_topics, ring) {
      rings.add(ring);
      return () => rings.delete(ring);
    },
  };

  const consume = (session: Session, wanted: ConsumeOptions): Consumer => {
    wanted.topics.forEach(logOf);
    const group = groupOf(wanted.group);
    const settings = {
      ...wanted,
      retry: options.retry ?? RETRY,
      lanes: options.lanes ?? 1,
      commit_interval_ms: 0,
    };
    const member = startMember(settings, feed, (cursors) => commit(group, cursors));
    session.members.set(member, { group, topics: wanted.topics });
    join(group, member, wanted.topics);
    return {
      assigned: member.assigned,
      async close() {
        await member.close();
        session.members.delete(member);
        leave(group, member);
        member.lose(member.held());
      },
    };
  };

  const publish = (topic: string, messages: readonly OutgoingMessage[]) => {
    append(logOf(topic), messages, now_ms());
    for (const ring of rings) ring();
  };

  const connect = (): MessageBus => {
    const session: Session = { members: new Map(), closed: false };
    const consumers = openConsumers();
    const open = () => {
      if (session.closed) throw new Error('the message bus is closed');
    };
    const bus: MessageBus = {
      async publish(topic, messages) {
        open();
        publish(topic, messages);
      },
      async consume(wanted) {
        open();
        return consumers.keep(consume(session, wanted));
      },
      async tail(topic, handler) {
        open();
        const from = logOf(topic).partitions.map((list) => list.length);
        return consumers.keep(startTail({ topic, from, handler, on_error }, feed));
      },
      scan: (topic) => scan(logOf(topic)),
      async positions(group, topics) {
        return topics.flatMap((topic) => positions(logOf(topic), groups.get(group)));
      },
      async close() {
        session.closed = true;
        await consumers.close();
      },
    };
    sessions.set(bus, session);
    return bus;
  };

  const membersOf = (bus: MessageBus) => [...(sessions.get(bus)?.members ?? [])];
  return {
    connect,
    cut(bus) {
      for (const [member, { group }] of membersOf(bus)) leave(group, member);
    },
    evict(bus) {
      for (const [member, { group, topics }] of membersOf(bus)) {
        member.lose(member.held());
        leave(group, member);
        join(group, member, topics);
      }
    },
  };
}

async function* scan(log: TopicLog): AsyncIterable<readonly ReceivedMessage[]> {
  const ends = log.partitions.map((list) => list.length);
  for (const [partition, end] of ends.entries()) {
    for (let from = 0; from < end; from += SCAN_PAGE) {
      yield log.partitions[partition]!.slice(from, Math.min(end, from + SCAN_PAGE));
    }
  }
}

const positions = (log: TopicLog, group: MemoryGroup | undefined): PartitionPosition[] =>
  log.partitions.map((list, partition) => ({
    topic: log.topic,
    partition,
    begin: 0,
    end: list.length,
    committed: group?.committed.get(log.topic)?.[partition] ?? null,
  }));
