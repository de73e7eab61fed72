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

/** The event store and the read side, as the writers share them. */
export interface Servers {
  /** What is written. */
  readonly log: MemoryLog;
  /** What reads show of it: an append is checked against events that no read shows yet. */
  readonly shown: MemoryLog;
  readonly read_side: MemoryReadSide;
}

export function newServers(): Servers {
  const shown = newMemoryLog();
  return { log: newMemoryLog(), shown, read_side: memoryReadSide(shown) };
}

/** Lets reads show the next events. */
export function show({ log, shown }: Servers, count: number): void {
  for (const event of log.events.slice(shown.events.length, shown.events.length + count)) {
    shown.events.push(event);
    const stream = shown.streams.get(event.stream) ?? [];
    shown.streams.set(event.stream, [...stream, event]);
  }
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

  async function write(append: StreamAppend): Promise<AppendResult> {
    const [result] = await written.appendMany([append]);
    if (result!.kind === 'conflict') director.met('an append that conflicts');
    return result!;
  }

  const writeLater = async (append: StreamAppend) => {
    await director.turn('late append');
    const { kind } = await write(append);
    director.met(kind === 'appended' ? 'a late append that is written' : 'a late append in vain');
  };

  async function arrive(append: StreamAppend): Promise<AppendResult> {
    if (director.strikes('append: refused')) return { kind: 'refused', why: 'not allowed' };
    if (director.strikes('append: not written, no answer')) return NO_ANSWER;
    if (director.strikes('append: written later, no answer')) {
      void writeLater(append);
      return NO_ANSWER;
    }
    const result = await write(append);
    return director.strikes('append: written, no answer') ? NO_ANSWER : result;
  }

  const reading = async () => {
    await turn('read');
    if (director.strikes('reading: fails')) throw new Injected('a read failed');
  };

  return {
    ...reads,
    limits: LIMITS,
    async appendMany(appends) {
      await director.turn('append arrives'); // what was sent arrives, whatever became of its sender
      const results = await Promise.all(appends.map(arrive));
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
