import {
  AccountCache,
  handleBatch,
  PriceBookCache,
  ReadSideWaits,
  type WriterPorts,
} from '#apps/ledger-writer';
import { OwnershipLost } from '#libs/message-bus';
import { COMMAND_PRICES } from '../ledger/commands.js';
import type { Broker, Delivered, Log, Partition } from './broker.js';
import type { Director } from './director.js';
import type { Checker } from './checker.js';
import { Injected, readSideOver, storeOver, type Servers } from './servers.js';

const MAX_BATCH = 8;
/** Of three accounts, so that one is dropped every now and then. */
const MAX_CACHED = 2;
/** A member that was silent for this long asks whether it is still in the group. */
const SESSION_MS = 20_000;
const MAX_STANDSTILL = 100;

export interface World {
  readonly director: Director;
  readonly broker: Broker;
  readonly servers: Servers;
  readonly checker: Checker;
  /** Plants a defect in the ports of every writer, to see that it is found; else changes nothing. */
  readonly damage: (ports: WriterPorts) => WriterPorts;
}

/** The position of a process on a partition of one topic, while it believes that it holds that. */
interface Cursor {
  readonly partition: Partition;
  readonly epoch: number;
  readonly log: Log;
  next: number;
  lost: boolean;
}

/** The real ledger-writer between a simulated broker and simulated servers. */
export interface WriterProcess {
  /** It is given the partition, and reads on from what is committed. */
  take(partition: Partition): void;
  /** It learns that the partition is another's. */
  lose(partition: Partition): void;
  /** It does nothing more; what it has sent is on its way all the same. */
  kill(): void;
}

export function startWriter(world: World): WriterProcess {
  const { director, broker, servers, checker } = world;
  const cursors = new Set<Cursor>();
  const skew_ms = director.skew();
  const clock = () => director.now() + skew_ms;
  let dead = false;
  let in_hand: { readonly ends: Map<Cursor, number>; readonly abort: AbortController } | undefined;

  const turn = async (label: string) => {
    await director.turn(label);
    if (director.strikes('writer: stands still')) {
      for (let n = director.pick(1, MAX_STANDSTILL); n > 0; n -= 1) await director.turn('still');
    }
    if (dead) await new Promise<never>(() => {});
  };
  const store = storeOver(servers, director, turn);
  const ports = world.damage({
    store,
    read_side: readSideOver(servers, director, turn),
    bus: {
      async publish(topic, messages) {
        await turn('publish arrives');
        if (director.strikes('publish: nothing sent')) throw new Injected('nothing was published');
        for (const message of messages) checker.published(topic, message);
        await turn('publish answered');
        if (director.strikes('publish: sent, no answer')) throw new Injected('no answer');
      },
    },
    cache: new AccountCache(MAX_CACHED),
    price_books: new PriceBookCache(store, COMMAND_PRICES, clock),
    read_side_waits: new ReadSideWaits(() => director.now()),
    async pause(_ms, signal) {
      await turn('pause');
      signal.throwIfAborted();
    },
    observe: () => {},
    clock,
  });

  const lose = (cursor: Cursor) => {
    cursor.lost = true;
    if (in_hand?.ends.has(cursor)) in_hand.abort.abort();
    cursors.delete(cursor);
  };

  /** Some of what is there, cut anywhere. */
  function read(): { readonly ends: Map<Cursor, number>; readonly delivered: Delivered[] } {
    const ends = new Map<Cursor, number>();
    const delivered: Delivered[] = [];
    for (const cursor of cursors) {
      const end = Math.min(cursor.log.delivered.length, cursor.next + director.pick(0, MAX_BATCH));
      if (end === cursor.next) continue;
      delivered.push(...cursor.log.delivered.slice(cursor.next, end));
      ends.set(cursor, end);
    }
    return { ends, delivered };
  }

  /** Whether the batch is dealt with. */
  async function handle(delivered: readonly Delivered[], ends: Map<Cursor, number>) {
    const abort = new AbortController();
    in_hand = { ends, abort };
    const isLost = () => [...ends.keys()].some((cursor) => cursor.lost || isMissed(cursor));
    const heartbeat = async () => {
      await turn('heartbeat');
      if (isLost()) throw new OwnershipLost('moved to another writer');
    };
    try {
      const messages = delivered.map(({ message }) => message);
      await handleBatch(messages, { heartbeat, signal: abort.signal }, ports);
      return !isLost();
    } catch (error) {
      checker.failed(error);
      return false;
    } finally {
      in_hand = undefined;
    }
  }

  const isMissed = ({ partition, epoch }: Cursor) =>
    partition.epoch !== epoch && director.now() - partition.moved_at_ms > SESSION_MS;

  async function commit(ends: ReadonlyMap<Cursor, number>): Promise<void> {
    await turn('commit');
    for (const [cursor, end] of ends) {
      const { log } = cursor;
      cursor.next = end;
      if (cursor.epoch !== cursor.partition.epoch) {
        director.met('a commit that is refused');
        lose(cursor);
        continue;
      }
      checker.committed(log.delivered.slice(log.committed, end));
      log.committed = end;
    }
  }

  async function live(): Promise<void> {
    while (!broker.isDone() && !director.isExhausted()) {
      await turn('poll');
      const { ends, delivered } = read();
      if (delivered.length === 0) continue;
      if (await handle(delivered, ends)) await commit(ends);
    }
  }

  live().catch((error: unknown) => checker.failed(error));
  return {
    take(partition) {
      const { epoch, logs } = partition;
      for (const log of logs) {
        cursors.add({ partition, epoch, log, next: log.committed, lost: false });
      }
    },
    lose(partition) {
      for (const cursor of cursors) if (cursor.partition === partition) lose(cursor);
    },
    kill() {
      dead = true;
    },
  };
}
