import { jest } from '@jest/globals';
import fc from 'fast-check';
import { ACCOUNT_STREAM_PREFIX, accountKeyOfStream, instantOf } from '#libs/contracts';
import { MIN_NOTICE_MS } from '#libs/ledger';
import { newAnswerChecker } from './answer-checker.js';
import { newBroker, type Partition, type Post } from './broker.js';
import { newCallers } from './callers.js';
import type { Damage } from './damage.js';
import { BEGIN_MS, newDirector, type Director } from './director.js';
import { newChecker } from './checker.js';
import { startGateway, type GatewayProcess } from './gateway-process.js';
import { publicationOf, type Announcement, type Scenario } from './scenario.js';
import { newServers, show } from './servers.js';
import { startWriter, type World, type WriterProcess } from './writer-process.js';

const WRITERS = 2;
const GATEWAYS = 2;
const MAX_AT_ONCE = 5;
/** Messages that wait; callers wait too, so that a history is long enough for prices to change. */
const MAX_BACKLOG = 10;
const MAX_SHOWN = 10;
/** Callers that are not done. */
const MAX_ACTIVE = 8;
/** Who is asked to give a partition back may take so many turns. */
const MAX_HAND_OVER = 50;
/** ... and who is not asked works on for up to as many, not knowing that it has lost it. */
const MAX_UNAWARE = 30;

type Queued = Post | Announcement;

/**
 * One history from the first call to the last commit, with faults, and when everybody has ended: what
 * was wrong in it. `seen` counts the faults and situations that were met.
 */
export async function run(
  scenario: Scenario,
  scheduler: fc.Scheduler,
  draw: fc.GeneratorValue,
  seen: Map<string, number>,
  damage: Damage = {},
): Promise<string[]> {
  jest.useFakeTimers({ now: BEGIN_MS, doNotFake: ['nextTick', 'queueMicrotask'] });
  // Backoffs are left to chance a little: not here, where all follows from the seed.
  const random = jest.spyOn(Math, 'random').mockReturnValue(0.5);
  try {
    return await live(scenario, scheduler, newDirector(scheduler, draw, scenario, seen), damage);
  } finally {
    random.mockRestore();
    jest.useRealTimers();
  }
}

async function live(
  scenario: Scenario,
  scheduler: fc.Scheduler,
  director: Director,
  damage: Damage,
): Promise<string[]> {
  const waiting: Queued[][] = [...scenario.posts, scenario.announcements].map((queue) => [
    ...queue,
  ]);
  const servers = newServers();
  const checker = newChecker(servers, director);
  const broker = newBroker(director, (...of) => checker.published(...of));
  const answers = newAnswerChecker(director, broker, checker, scenario.tick_ms);
  const gateways: GatewayProcess[] = [];
  const callers = newCallers({ director, broker, answers, gateways: () => gateways });
  let active = 0;
  const isDone = () =>
    waiting.every((queue) => queue.length === 0) &&
    active + broker.sending + broker.backlog() === 0;
  const isOver = () => isDone() || director.isExhausted();
  const world: World = { director, broker, servers, checker, damage, isOver };
  const holders = new Map<Partition, WriterProcess>();
  const projected = new Map<string, number>();

  const give = (partition: Partition, writer: WriterProcess) => {
    partition.epoch += 1;
    partition.moved_at_ms = director.now();
    holders.set(partition, writer);
    writer.take(partition);
  };

  /** The old holder is asked first, or learns of it later and goes on until then. */
  const move = async (partition: Partition, to: WriterProcess) => {
    const from = holders.get(partition)!;
    if (from === to) return;
    if (director.pick(0, 1) === 0) {
      await Promise.race([
        from.release(partition).then(() => director.met('a partition that is given back')),
        pass(MAX_HAND_OVER),
      ]);
    }
    give(partition, to);
    await pass(director.pick(1, MAX_UNAWARE));
    if (holders.get(partition) !== from) from.lose(partition);
  };

  const pass = async (turns: number) => {
    for (let n = turns; n > 0; n -= 1) await director.turn('a partition moves');
  };

  const restart = async (victim: WriterProcess, in_order: boolean) => {
    if (in_order) {
      await Promise.race([
        victim.stop().then(() => director.met('a writer that stops in time')),
        pass(MAX_HAND_OVER),
      ]);
    }
    victim.kill();
    await director.turn('restart');
    const next = startWriter(world);
    writers[writers.indexOf(victim)] = next;
    for (const [partition, holder] of holders) if (holder === victim) give(partition, next);
  };

  const openGateway = async () => {
    gateways.push(await startGateway(world, answers.troubled));
  };

  /** Something that goes on beside the processes for as long as the run takes. */
  const goOn = async (label: string, act: () => unknown) => {
    while (!isOver()) {
      await director.turn(label);
      await act();
    }
  };

  const post = () => {
    const open = waiting.filter((queue) => queue.length > 0);
    if (open.length === 0 || broker.backlog() > MAX_BACKLOG || active > MAX_ACTIVE) return;
    const queued = director.oneOf(open).splice(0, director.pick(1, MAX_AT_ONCE));
    active += 1;
    void callers
      .send(queued.map((one) => ('notice_turns' in one ? announced(one) : one)))
      .catch(checker.failed)
      .then(() => (active -= 1));
  };
  const showMore = () => show(servers, director.pick(1, MAX_SHOWN));
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
  const announced = (announcement: Announcement): Post => {
    const notice_ms = MIN_NOTICE_MS + announcement.notice_turns * scenario.turn_ms;
    return { publication: publicationOf(announcement, instantOf(director.now() + notice_ms)) };
  };
  const meddle = async () => {
    if (director.strikes('writer: killed')) await restart(director.oneOf(writers), false);
    if (director.strikes('writer: stopped')) await restart(director.oneOf(writers), true);
    if (director.strikes('gateway: killed')) {
      const [victim] = gateways.splice(director.pick(0, gateways.length - 1), 1);
      victim!.kill();
      await openGateway();
    }
    if (director.strikes('gateway: stopped')) {
      const [victim] = gateways.splice(director.pick(0, gateways.length - 1), 1);
      void victim!.stop().catch(checker.failed);
      await openGateway();
    }
    if (director.strikes('partition: moved to another writer')) {
      await move(director.oneOf(broker.partitions), director.oneOf(writers));
    }
  };

  const writers = Array.from({ length: WRITERS }, () => startWriter(world));
  for (const [i, partition] of broker.partitions.entries()) give(partition, writers[i % WRITERS]!);
  const begin = async () => {
    await Promise.all(Array.from({ length: GATEWAYS }, openGateway));
    await Promise.all([
      goOn('go on', () => director.oneOf([post, showMore, project])()),
      goOn('meddle', meddle),
    ]);
  };
  await scheduler.waitFor(begin());
  await scheduler.waitIdle();
  if (director.isExhausted()) return ['it did not come to an end', ...answers.violations()];
  const delivered = broker.partitions.flatMap(({ logs }) =>
    [...logs.values()].flatMap((log) => log.delivered),
  );
  return [...checker.violations(delivered), ...answers.violations()];
}

const isAccountStream = (stream: string) => stream.startsWith(ACCOUNT_STREAM_PREFIX);
