import {
  memoryEventStore,
  newMemoryLog,
  type AppendResult,
  type EventStore,
  type MemoryLog,
  type StreamAppend,
} from '#libs/event-store';
import type { ReadSide } from '#apps/ledger-writer';
import { memoryReadSide, type MemoryReadSide } from '../fixtures/memory-read-side.js';
import type { Director } from './director.js';

/** So small that a batch needs several appends. */
const LIMITS = { max_events: 4, max_bytes: 4_000_000 };

/**
 * An append is written, and reads show it, within this time of being sent, or it never is: what the
 * notice of a price book counts on.
 */
const WRITTEN_WITHIN_MS = 15_000;

/** The event store and the read side, as the writers share them. */
export interface Servers {
  /** What is written. */
  readonly log: MemoryLog;
  /** What reads show of it: an append is checked against events that no read shows yet. */
  readonly shown: MemoryLog;
  /** When each event of the log was sent. */
  readonly sent_ms: number[];
  readonly read_side: MemoryReadSide;
}

export function newServers(): Servers {
  const shown = newMemoryLog();
  return { log: newMemoryLog(), shown, sent_ms: [], read_side: memoryReadSide(shown) };
}

/** Lets reads show the next events. */
export function show({ log, shown }: Servers, count: number): void {
  const from = shown.events.length;
  for (const event of log.events.slice(from, from + Math.max(0, count))) {
    shown.events.push(event);
    const stream = shown.streams.get(event.stream) ?? [];
    shown.streams.set(event.stream, [...stream, event]);
  }
}

/** Lets reads show what they must by now. */
function showInTime(servers: Servers, now_ms: number): void {
  const is_due = (sent_ms: number) => now_ms - sent_ms >= WRITTEN_WITHIN_MS;
  show(servers, servers.sent_ms.findLastIndex(is_due) + 1 - servers.shown.events.length);
}

/** What an injected fault throws: a batch may always fail with it. */
export class Injected extends Error {
  override readonly name = 'Injected';
}

/** A connection of one process: whatever it waits for never comes once the process is dead. */
export type Turn = (label: string) => Promise<void>;

/** The store at the end of a connection that loses calls and answers. */
export function storeOver(servers: Servers, director: Director, turn: Turn): EventStore {
  const written = memoryEventStore(servers.log);
  const reads = memoryEventStore(servers.shown);

  async function write(append: StreamAppend, sent_ms: number): Promise<AppendResult> {
    if (director.now() - sent_ms >= WRITTEN_WITHIN_MS) {
      director.met('an append that comes too late to be written');
      return NO_ANSWER;
    }
    const [result] = await written.appendMany([append]);
    while (servers.sent_ms.length < servers.log.events.length) servers.sent_ms.push(sent_ms);
    if (result!.kind === 'conflict') director.met('an append that conflicts');
    return result!;
  }

  const writeLater = async (append: StreamAppend, sent_ms: number) => {
    await director.turn('late append');
    const { kind } = await write(append, sent_ms);
    if (kind !== 'unknown')
      director.met(kind === 'appended' ? 'a late append that is written' : 'a late append in vain');
  };

  async function arrive(append: StreamAppend, sent_ms: number): Promise<AppendResult> {
    if (director.strikes('append: refused')) return { kind: 'refused', why: 'not allowed' };
    if (director.strikes('append: not written, no answer')) return NO_ANSWER;
    if (director.strikes('append: written later, no answer')) {
      void writeLater(append, sent_ms);
      return NO_ANSWER;
    }
    const result = await write(append, sent_ms);
    return director.strikes('append: written, no answer') ? NO_ANSWER : result;
  }

  const reading = async () => {
    await turn('read');
    if (director.strikes('reading: fails')) throw new Injected('a read failed');
    showInTime(servers, director.now());
  };

  return {
    ...reads,
    limits: LIMITS,
    async appendMany(appends) {
      const sent_ms = director.now();
      await director.turn('append arrives'); // what was sent arrives, whatever became of its sender
      const results = await Promise.all(appends.map((append) => arrive(append, sent_ms)));
      await turn('append answered');
      return results;
    },
    async *readStream(stream, options) {
      await reading();
      yield* reads.readStream(stream, options);
    },
    async readLast(stream, options) {
      await reading();
      return reads.readLast(stream, options);
    },
  };
}

const NO_ANSWER: AppendResult = { kind: 'unknown', why: 'no answer' };

export function readSideOver(servers: Servers, director: Director, turn: Turn): ReadSide {
  const { read_side } = servers;
  return {
    async lookUp(questions) {
      await turn('look-up arrives');
      if (director.strikes('look-up: fails')) throw new Injected('a look-up failed');
      const answers = await read_side.lookUp(questions);
      await turn('look-up answered');
      return answers;
    },
    setAsideAmong: (messages) => read_side.setAsideAmong(messages),
    park: (account) => read_side.park(account),
  };
}
