import fc from 'fast-check';
import { ACCOUNT_STREAM_PREFIX, accountKeyOfStream } from '#libs/contracts';
import { newBroker, PARTITIONS, type Posted } from './broker.js';
import { newDirector, type Odds } from './director.js';
import { newJudge } from './judge.js';
import { newServers, show } from './servers.js';
import { startWriter, type World, type WriterProcess } from './writer-process.js';
import { sequences } from '../ledger/commands.js';

const WRITERS = 2;
const MAX_AT_ONCE = 5;

/** The sequences of three accounts, two of which share a partition. */
export const posts: fc.Arbitrary<readonly (readonly Posted[])[]> = fc.tuple(
  ...['acct-0', 'acct-1', 'acct-2'].map((account_id) =>
    sequences.map((sent) => sent.map((one) => ({ ...one, account_id }))),
  ),
);

export interface Scenario {
  readonly posts: readonly (readonly Posted[])[];
  readonly odds: Odds;
}

/**
 * One history from the first message to the last commit, with faults, and when everybody has ended:
 * what was wrong in it. `seen` counts the faults and situations that were met.
 */
export async function run(
  { posts: queues, odds }: Scenario,
  scheduler: fc.Scheduler,
  draw: fc.GeneratorValue,
  seen: Map<string, number>,
  damage: World['damage'] = (ports) => ports,
): Promise<string[]> {
  const director = newDirector(scheduler, draw, odds, seen);
  const servers = newServers();
  const broker = newBroker(queues.flat().length);
  const judge = newJudge(servers);
  const world: World = { director, broker, servers, judge, damage };
  const holders = new Map<number, WriterProcess>();
  const projected = new Map<string, number>();
  const waiting = queues.map((queue) => [...queue]);
  const isOver = () => broker.isDone() || director.isExhausted();

  const give = (partition: number, writer: WriterProcess) => {
    broker.partitions[partition]!.epoch += 1;
    holders.set(partition, writer);
    writer.take(partition);
  };

  /** The old holder learns of it later, and goes on until then. */
  const move = async (partition: number, to: WriterProcess) => {
    const from = holders.get(partition)!;
    if (from === to) return;
    give(partition, to);
    await director.turn('told of the loss');
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
    const queue = open[director.pick(0, Math.max(open.length - 1, 0))] ?? [];
    for (const one of queue.splice(0, director.pick(1, MAX_AT_ONCE))) broker.post(one);
  };
  const project = () => {
    if (director.strikes('read side: snapshots of another version')) servers.read_side.outdate();
    const accounts = [...servers.shown.streams].filter(([stream]) => isAccountStream(stream));
    if (accounts.length === 0) return;
    const [stream, { length }] = accounts[director.pick(0, accounts.length - 1)]!;
    const least = director.strikes('read side: restored from a backup')
      ? -1
      : projected.get(stream);
    const revision = director.pick(least ?? -1, length - 1);
    projected.set(stream, revision);
    servers.read_side.project(new Map([[accountKeyOfStream(stream), revision]]));
  };
  const meddle = async () => {
    const writer = writers[director.pick(0, WRITERS - 1)]!;
    if (director.strikes('writer: killed')) await restart(writer);
    if (director.strikes('partition: moved to another writer')) {
      await move(director.pick(0, PARTITIONS - 1), writers[director.pick(0, WRITERS - 1)]!);
    }
  };

  const writers = Array.from({ length: WRITERS }, () => startWriter(world));
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    give(partition, writers[partition % WRITERS]!);
  }
  await scheduler.waitFor(
    Promise.all([
      goOn('post', post),
      goOn('show', () => show(servers, director.pick(1, MAX_AT_ONCE))),
      goOn('project', project),
      goOn('meddle', meddle),
    ]),
  );
  await scheduler.waitIdle();
  if (director.isExhausted()) return ['it did not come to an end', ...judge.complaints([])];
  return judge.complaints(broker.partitions.map(({ log }) => log));
}

const isAccountStream = (stream: string) => stream.startsWith(ACCOUNT_STREAM_PREFIX);
