import {
  AccountCache,
  handleBatch,
  PriceBookCache,
  ReadSideWaits,
  type WriterPorts,
} from '#apps/ledger-writer';
import { GROUPS, REQUEST_TOPICS } from '#libs/contracts';
import { startMember, type Cursor, type Feed, type MemberSettings } from '#libs/message-bus';
import { COMMAND_PRICES } from '../ledger/commands.js';
import type { Broker, Log, Partition } from './broker.js';
import { feedOver, publisherOver } from './bus.js';
import type { Checker } from './checker.js';
import type { Damage } from './damage.js';
import type { Director } from './director.js';
import { newProcess } from './process.js';
import { Injected, readSideOver, storeOver, type Servers } from './servers.js';

const LANES = 2;
/** Of four accounts, so that one is dropped every now and then. */
const MAX_CACHED = 2;
/** A member that was silent for this long asks whether it is still in the group. */
const SESSION_MS = 20_000;
const RETRY = { min_ms: 100, max_ms: 10_000 };

export interface World {
  readonly director: Director;
  readonly broker: Broker;
  readonly servers: Servers;
  readonly checker: Checker;
  readonly damage: Damage;
  /** Whether all has come to its end: nobody needs to look for more. */
  readonly isOver: () => boolean;
}

/** The real ledger-writer, its lanes included, between a simulated broker and simulated servers. */
export interface WriterProcess {
  /** It is given the partition, and reads on from what is committed. */
  take(partition: Partition): void;
  /** It learns that the partition is another's. */
  lose(partition: Partition): void;
  /** It gives the partition back: resolves when what it has of it in hand is done. */
  release(partition: Partition): Promise<void>;
  /** It stops in order: resolves when what it has in hand is done or given up, and committed. */
  stop(): Promise<void>;
  /** It does nothing more; what it has sent is on its way all the same. */
  readonly kill: () => void;
}

export function startWriter(world: World): WriterProcess {
  const { director, broker, servers, checker, damage } = world;
  const process = newProcess(director, 'writer: stands still');
  const connection = { broker, director, process };
  const skew_ms = director.skew();
  const clock = () => director.now() + skew_ms;
  const store = storeOver(servers, director, process.turn);
  const sound: WriterPorts = {
    store,
    read_side: readSideOver(servers, director, process.turn),
    bus: { publish: publisherOver(connection) },
    cache: new AccountCache(MAX_CACHED),
    price_books: new PriceBookCache(store, COMMAND_PRICES, clock),
    read_side_waits: new ReadSideWaits(() => director.now()),
    async pause(_ms, signal) {
      await process.turn('pause');
      signal.throwIfAborted();
    },
    observe: () => {},
    clock,
  };
  const ports = damage.writer?.(sound) ?? sound;

  const partitionOf = ({ partition }: Cursor) => broker.partitions[partition]!;
  const logOf = (cursor: Cursor): Log => partitionOf(cursor).logs.get(cursor.topic)!;
  const isMoved = (cursor: Cursor) => partitionOf(cursor).epoch !== cursor.epoch;
  const cursorsOf = (partition: Partition) =>
    member.held().filter((cursor) => cursor.partition === partition.number);

  const confirm = async () => {
    await process.turn('heartbeat');
    const isMissed = (cursor: Cursor) =>
      isMoved(cursor) && director.now() - partitionOf(cursor).moved_at_ms > SESSION_MS;
    member.lose(member.held().filter(isMissed));
  };

  async function commit(cursors: readonly Cursor[]): Promise<readonly Cursor[]> {
    const ends = cursors.map(({ next }) => next);
    await process.turn('commit');
    if (director.strikes('commit: not done, no answer')) throw new Injected('nothing is committed');
    for (const [i, cursor] of cursors.entries()) {
      if (isMoved(cursor)) continue;
      const log = logOf(cursor);
      checker.committed(log, ends[i]!);
      log.committed = ends[i]!;
    }
    if (director.strikes('commit: done, no answer')) throw new Injected('no answer to a commit');
    const refused = cursors.filter(isMoved);
    if (refused.length > 0) director.met('a commit that is refused');
    return refused;
  }

  const settings: MemberSettings = {
    group: GROUPS.writer,
    topics: REQUEST_TOPICS,
    max_batch: Number.MAX_SAFE_INTEGER, // the feed gives fewer
    lanes: LANES,
    commit_interval_ms: 0,
    retry: RETRY,
    confirm,
    async handler(messages, control) {
      if (new Set(messages.map(({ partition }) => partition)).size > 1)
        director.met('a batch of several partitions');
      await handleBatch(messages, control, ports);
    },
    on_failure: (error) => checker.failed(error),
  };
  const feed: Feed = feedOver(
    connection,
    (cursor) => logOf(cursor).delivered.map(({ message }) => message),
    world.isOver,
  );
  const lanes = { settings, feed };
  const used = damage.lanes?.(lanes) ?? lanes;
  const member = startMember(used.settings, used.feed, commit);

  return {
    take(partition) {
      const { epoch, number } = partition;
      const cursors = [...partition.logs].map(([topic, { committed }]): Cursor => {
        return { topic, partition: number, epoch, next: committed, committed, lost: false };
      });
      member.take(cursors);
    },
    lose: (partition) => member.lose(cursorsOf(partition)),
    release: (partition) => member.release(partition.number),
    stop: () => member.close().catch(checker.failed),
    kill: process.kill,
  };
}
