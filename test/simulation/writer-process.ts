import {
  AccountCache,
  handleBatch,
  PriceBookShelf,
  Stalls,
  type WriterPorts,
} from '#apps/ledger-writer';
import { OwnershipLost } from '#libs/message-bus';
import { COMMAND_PRICES } from '../ledger/commands.js';
import { minutes } from '../ledger/requests.js';
import type { Broker, Delivered } from './broker.js';
import type { Director } from './director.js';
import type { Judge } from './judge.js';
import { Injected, readSideOver, storeOver, type Servers } from './servers.js';

const MAX_BATCH = 8;
/** Later than every stamp. */
const CLOCK_MS = Date.parse(minutes(10_000));
/** Of the writer's elapsed time, for what it reads again every now and then. */
const TURN_MS = 100;

export interface World {
  readonly director: Director;
  readonly broker: Broker;
  readonly servers: Servers;
  readonly judge: Judge;
  /** What every writer is given instead of its ports: another thing only to see that it is found out. */
  readonly damage: (ports: WriterPorts) => WriterPorts;
}

/** Where a process stands on a partition, for as long as it believes to hold it. */
interface Cursor {
  readonly partition: number;
  readonly epoch: number;
  next: number;
  lost: boolean;
}

/** A ledger-writer: the real one, between a broker and servers that are not. */
export interface WriterProcess {
  /** It is given the partition, and reads on from what is committed. */
  take(partition: number): void;
  /** It learns that the partition is another's. */
  lose(partition: number): void;
  /** It does nothing more; what it has sent is on its way all the same. */
  kill(): void;
}

export function startWriter(world: World): WriterProcess {
  const { director, broker, servers, judge } = world;
  const cursors = new Map<number, Cursor>();
  let dead = false;
  let turns = 0;
  let in_hand: { readonly ends: Map<Cursor, number>; readonly abort: AbortController } | undefined;

  const turn = async (label: string) => {
    await director.turn(label);
    turns += 1;
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
        for (const message of messages) judge.published(topic, message);
        await turn('publish answered');
        if (director.strikes('publish: sent, no answer')) throw new Injected('no answer');
      },
    },
    cache: new AccountCache(),
    shelf: new PriceBookShelf(store, COMMAND_PRICES, () => turns * TURN_MS),
    stalls: new Stalls(() => turns * TURN_MS),
    async pause(_ms, signal) {
      await turn('pause');
      signal.throwIfAborted();
    },
    observe: () => {},
    clock: () => CLOCK_MS,
  });

  const lose = (cursor: Cursor) => {
    cursor.lost = true;
    if (in_hand?.ends.has(cursor)) in_hand.abort.abort();
    if (cursors.get(cursor.partition) === cursor) cursors.delete(cursor.partition);
  };

  /** Some of what is there, cut anywhere. */
  function read(): { readonly ends: Map<Cursor, number>; readonly delivered: Delivered[] } {
    const ends = new Map<Cursor, number>();
    const delivered: Delivered[] = [];
    for (const cursor of cursors.values()) {
      const { log } = broker.partitions[cursor.partition]!;
      const end = Math.min(log.length, cursor.next + director.pick(0, MAX_BATCH));
      if (end === cursor.next) continue;
      delivered.push(...log.slice(cursor.next, end));
      ends.set(cursor, end);
    }
    return { ends, delivered };
  }

  /** Whether the batch is dealt with. */
  async function handle(delivered: readonly Delivered[], ends: Map<Cursor, number>) {
    const abort = new AbortController();
    in_hand = { ends, abort };
    const isLost = () => [...ends.keys()].some((cursor) => cursor.lost);
    const heartbeat = async () => {
      await turn('heartbeat');
      if (isLost()) throw new OwnershipLost('moved to another writer');
    };
    try {
      const messages = delivered.map(({ message }) => message);
      await handleBatch(messages, { heartbeat, signal: abort.signal }, ports);
      return !isLost();
    } catch (error) {
      judge.failed(error);
      return false;
    } finally {
      in_hand = undefined;
    }
  }

  async function commit(ends: ReadonlyMap<Cursor, number>): Promise<void> {
    await turn('commit');
    for (const [cursor, end] of ends) {
      const partition = broker.partitions[cursor.partition]!;
      cursor.next = end;
      if (cursor.epoch !== partition.epoch) {
        director.met('a commit that is refused');
        lose(cursor);
        continue;
      }
      judge.committed(partition.log.slice(partition.committed, end));
      partition.committed = end;
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

  live().catch((error: unknown) => judge.failed(error));
  return {
    take(partition) {
      const { committed: next, epoch } = broker.partitions[partition]!;
      cursors.set(partition, { partition, epoch, next, lost: false });
    },
    lose(partition) {
      const cursor = cursors.get(partition);
      if (cursor) lose(cursor);
    },
    kill() {
      dead = true;
    },
  };
}
