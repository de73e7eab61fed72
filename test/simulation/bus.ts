import {
  readFairly,
  type Cursor,
  type Feed,
  type OutgoingMessage,
  type ReceivedMessage,
} from '#libs/message-bus';
import type { Broker } from './broker.js';
import type { Director } from './director.js';
import { never, type Process } from './process.js';
import { Injected } from './servers.js';

const MAX_HANG = 200;
/** Most messages of one cursor that are read at once. */
const MAX_READ = 8;
/** As in the real ones: every append rings. */
const IDLE_MS = 60_000;

export interface PublisherOptions {
  readonly broker: Broker;
  readonly director: Director;
  readonly process: Process;
  /** Called with what may not be written although the caller is not told, or told too late. */
  readonly troubled?: (messages: readonly OutgoingMessage[]) => void;
}

/** Publishes at the end of a connection that loses calls and answers. */
export function publisherOver({ broker, director, process, troubled }: PublisherOptions) {
  return async (topic: string, messages: readonly OutgoingMessage[]): Promise<void> => {
    const fail = (why: string) => {
      troubled?.(messages);
      return new Injected(why);
    };
    broker.sending += 1;
    await director.turn('publish arrives'); // what was sent arrives, whatever became of its sender
    if (director.strikes('publish: hangs')) {
      troubled?.(messages);
      for (let n = director.pick(1, MAX_HANG); n > 0; n -= 1) await director.turn('publish hangs');
    }
    broker.sending -= 1;
    if (director.strikes('publish: nothing sent')) throw fail('nothing was published');
    if (director.strikes('publish: part of it sent, no answer')) {
      broker.append(topic, messages.slice(0, director.pick(0, messages.length)));
      throw fail('not all was published');
    }
    broker.append(topic, messages);
    await process.turn('publish answered');
    if (director.strikes('publish: sent, no answer')) throw fail('no answer');
  };
}

/** What the lanes of one process read from: some of what is there, cut anywhere. */
export function feedOver(
  { broker, director, process }: PublisherOptions,
  messagesOf: (cursor: Cursor) => readonly ReceivedMessage[],
  isOver: () => boolean,
): Feed {
  return {
    idle_ms: IDLE_MS,
    async read(cursors) {
      await process.turn('poll');
      if (isOver()) await never();
      const shown = cursors.map((cursor) => {
        const there = messagesOf(cursor).slice(cursor.next, cursor.next + MAX_READ);
        return { cursor, there, some: there.slice(0, director.pick(0, MAX_READ)) };
      });
      const is_nothing = shown.every(({ some }) => some.length === 0);
      const messages = new Map(
        shown.map(({ cursor, there, some }) => [cursor, is_nothing ? there : some]),
      );
      return readFairly(
        cursors,
        director.pick(1, MAX_READ * Math.max(1, cursors.length)),
        (cursor) => messages.get(cursor)!.length,
        (cursor, count) => messages.get(cursor)!.slice(0, count),
      );
    },
    watch: (_topics, ring) => broker.watch(ring),
  };
}
