import fc from 'fast-check';
import { ACCOUNT_STREAM_PREFIX, accountKeyOfStream, instantOf } from '#libs/contracts';
import { MIN_NOTICE_MS } from '#libs/ledger';
import { newBroker, type Partition, type Post } from './broker.js';
import { newDirector } from './director.js';
import { newChecker } from './checker.js';
import { publicationOf, type Announcement, type Scenario } from './scenario.js';
import { newServers, show } from './servers.js';
import { startWriter, type World, type WriterProcess } from './writer-process.js';

const WRITERS = 2;
const MAX_AT_ONCE = 5;
/** Messages that wait; callers wait too, so that a history is long enough for prices to change. */
const MAX_BACKLOG = 10;

type Queued = Post | Announcement;

/**
 * One history from the first message to the last commit, with faults, and when everybody has ended:
 * what was wrong in it. `seen` counts the faults and situations that were met.
 */
export async function run(
  scenario: Scenario,
  scheduler: fc.Scheduler,
  draw: fc.GeneratorValue,
  seen: Map<string, number>,
  damage: World['damage'] = (ports) => ports,
): Promise<string[]> {
  const director = newDirector(scheduler, draw, scenario, seen);
  const waiting: Queued[][] = [...scenario.posts, scenario.announcements].map((queue) => [
    ...queue,
  ]);
  const servers = newServers();
  const broker = newBroker(waiting.flat().length);
  const checker = newChecker(servers, director);
  const world: World = { director, broker, servers, checker, damage };
  const holders = new Map<Partition, WriterProcess>();
  const projected = new Map<string, number>();
  const isOver = () => broker.isDone() || director.isExhausted();

  const give = (partition: Partition, writer: WriterProcess) => {
    partition.epoch += 1;
    partition.moved_at_ms = director.now();
    holders.set(partition, writer);
    writer.take(partition);
  };

  /** The old holder learns of it later, and goes on until then. */
  const move = async (partition: Partition, to: WriterProcess) => {
    const from = holders.get(partition)!;
    if (from === to) return;
    give(partition, to);
    await director.turn('learns of the loss');
    if (holders.get(partition) !== from) from.lose(partition);
  };

  const restart = async (victim: WriterProcess) => {
    victim.kill();
    await director.turn('restart');
    const next = startWriter(world);
    writers[writers.indexOf(victim)] = next;
    for (const [partition, holder] of holders) if (holder === victim) give(partition, next);
  };

  /** Something that goes on beside the writers for as long as the run takes. */
  const goOn = async (label: string, act: () => unknown) => {
    while (!isOver()) {
      await director.turn(label);
      await act();
    }
  };

  const post = () => {
    const open = waiting.filter((queue) => queue.length > 0);
    if (open.length === 0 || broker.backlog() > MAX_BACKLOG) return;
    for (const queued of director.oneOf(open).splice(0, director.pick(1, MAX_AT_ONCE))) {
      const now_ms = director.now();
      const stamp_ms = now_ms + director.brokerSkew();
      broker.post('notice_turns' in queued ? announced(queued, now_ms) : queued, stamp_ms);
    }
  };
  const project = () => {
    if (director.strikes('read side: snapshots of another version')) servers.read_side.outdate();
    const accounts = [...servers.shown.streams].filter(([stream]) => isAccountStream(stream));
    if (accounts.length === 0) return;
    const [stream, { length }] = director.oneOf(accounts);
    const least = director.strikes('read side: restored from a backup')
      ? -1
      : (projected.get(stream) ?? -1);
    const revision = director.pick(least, length - 1);
    projected.set(stream, revision);
    servers.read_side.project(new Map([[accountKeyOfStream(stream), revision]]));
  };
  const announced = (announcement: Announcement, now_ms: number): Post => {
    const notice_ms = MIN_NOTICE_MS + announcement.notice_turns * scenario.turn_ms;
    return { publication: publicationOf(announcement, instantOf(now_ms + notice_ms)) };
  };
  const meddle = async () => {
    if (director.strikes('writer: killed')) await restart(director.oneOf(writers));
    if (director.strikes('partition: moved to another writer')) {
      await move(director.oneOf(broker.partitions), director.oneOf(writers));
    }
  };

  const writers = Array.from({ length: WRITERS }, () => startWriter(world));
  for (const [i, partition] of broker.partitions.entries()) give(partition, writers[i % WRITERS]!);
  await scheduler.waitFor(
    Promise.all([
      goOn('post', post),
      goOn('show', () => show(servers, director.pick(1, MAX_AT_ONCE))),
      goOn('project', project),
      goOn('meddle', meddle),
    ]),
  );
  await scheduler.waitIdle();
  if (director.isExhausted()) return ['it did not come to an end'];
  return checker.violations(
    broker.partitions.flatMap(({ logs }) => logs.flatMap(({ delivered }) => delivered)),
  );
}

const isAccountStream = (stream: string) => stream.startsWith(ACCOUNT_STREAM_PREFIX);
