import { SHUTDOWN_MS } from '#libs/platform';
import { until } from '../../contract-bench.js';
import { standInClient, type StandIn, type StandInOptions } from '../../kafka-stand-in.js';
import type { BatchControl, Consumer, ReceivedMessage } from '../port.js';
import { CLOSE_TIMEOUT_MS, startConsumer, type ConsumerSettings } from './consumer.js';

const CONNECTION_LOST = Object.assign(new Error('Closed connection'), { retriable: true });

let consumer: Consumer;
let finish: () => void;
afterEach(async () => {
  finish();
  await consumer.close();
});

/** A consumer of partition 0 whose handler holds each batch until it is told to finish it. */
async function started(
  settings: Partial<ConsumerSettings> = {},
  client_options: Partial<StandInOptions> = {},
) {
  const { client, incarnations } = standInClient({
    topic: 't',
    partitions: [0],
    ...client_options,
  });
  const batches: { messages: readonly ReceivedMessage[]; control: BatchControl }[] = [];
  const failures: string[] = [];
  let holding = true;
  let wake = () => {};
  finish = () => {
    holding = false;
    wake();
  };
  consumer = await startConsumer(client, {
    group: 'g',
    topics: ['t'],
    max_batch: 4,
    partitions: 1,
    lanes: 1,
    retry: { min_ms: 1, max_ms: 5 },
    commit_interval_ms: 0,
    session_timeout_ms: 5_000,
    hand_over_ms: 20,
    close_timeout_ms: 10_000,
    on_failure: (error) => failures.push((error as Error).message),
    on_fatal: (error) => failures.push(`fatal: ${error.message}`),
    handler: async (messages, control) => {
      batches.push({ messages, control });
      if (holding) await new Promise<void>((resolve) => (wake = resolve));
    },
    ...settings,
  });
  const current = () => incarnations.at(-1)!;
  const offsets = () => batches.flatMap(({ messages }) => messages.map(({ offset }) => offset));
  return { incarnations, current, batches, failures, offsets };
}

const joined = () => until(() => consumer.assigned().length === 1);
const give = async (stand_in: StandIn, offsets: readonly number[]) =>
  stand_in.deliver(await stand_in.fetched(offsets));

describe('a partition that fills up', () => {
  it('is paused, so that it holds up no other, and resumed when it has drained', async () => {
    const { current } = await started();
    await joined();
    await give(current(), [0, 1, 2, 3]); // resolves only because the partition is paused
    expect(current().paused()).toEqual([0]);
    finish();
    await until(() => current().paused().length === 0);
  });

  it('is read again after a rebalance, in which all that had filled it was forgotten', async () => {
    const { current } = await started();
    await joined();
    await give(current(), [0, 1, 2, 3]);
    expect(current().paused()).toEqual([0]);
    await current().group.joinAndSync();
    expect(current().paused()).toEqual([]);
  });
});

it('client hazard 6: does not hand over a batch that a rebalance overtook on its way', async () => {
  const { current, offsets } = await started();
  finish();
  await joined();
  const { group, fetched, deliver } = current();
  const overtaken = await fetched([7, 8], () => group.joinAndSync());
  expect(await deliver(overtaken)).toBeUndefined(); // fetched again
  expect(await give(current(), [0, 1])).toBe('1');
  await until(() => offsets().length > 0);
  expect(offsets()).toEqual([0, 1]);
});

it('F5: a crashed client has lost its partitions before it joins again', async () => {
  const { current, batches, incarnations } = await started({ retry: { min_ms: 50, max_ms: 50 } });
  await joined();
  await give(current(), [0]);
  await until(() => batches.length === 1);
  current().emit('consumer.crash', { error: CONNECTION_LOST });
  expect(consumer.assigned()).toEqual([]);
  expect(batches[0]!.control.signal.aborted).toBe(true);
  await until(() => incarnations.length === 2);
  await joined();
});

describe('client hazard 14: a connection on which nothing arrives any more, and which does not break', () => {
  it('is given up after the session timeout; another takes its place', async () => {
    const { incarnations, failures, batches } = await started({ session_timeout_ms: 100 });
    await joined();
    await give(incarnations[0]!, [0]);
    await until(() => batches.length === 1);
    await until(() => incarnations.length > 1);
    expect(failures[0]).toBe('no broker has answered for 100 ms');
    expect(batches[0]!.control.signal.aborted).toBe(true);
    await until(() => incarnations[0]!.disconnected());
    await joined();
  });

  it('is kept while anything is heard on it', async () => {
    const { incarnations, current } = await started({ session_timeout_ms: 100 });
    await joined();
    // Twice the session, but counted in timers: both are late together on a busy machine.
    for (let time = 0; time < 20; time += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      current().emit('consumer.network.request', {});
    }
    expect(incarnations).toHaveLength(1);
  });

  it.each(['Heartbeat', 'JoinGroup', 'SyncGroup', 'OffsetCommit', 'OffsetFetch'])(
    'is given up as soon as the coordinator has not answered a %s in time',
    async (apiName) => {
      const { current, incarnations, failures } = await started();
      await joined();
      current().emit('consumer.network.request_timeout', { apiName, broker: 'b:1' });
      expect(consumer.assigned()).toEqual([]);
      expect(failures).toEqual([`b:1 has not answered ${apiName}`]);
      await until(() => incarnations.length === 2);
      await joined();
    },
  );

  it('client hazard 16: is told and kept where it is not the coordinator that did not answer', async () => {
    const { current, incarnations, failures } = await started();
    await joined();
    for (const apiName of ['Fetch', 'Metadata', 'GroupCoordinator', 'ListOffsets'])
      current().emit('consumer.network.request_timeout', { apiName, broker: 'b:1' });
    expect(failures).toHaveLength(4);
    expect(consumer.assigned()).toEqual([0]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(incarnations).toHaveLength(1);
  });

  it('is given up while it joins and has no word of the topics', async () => {
    let join = () => {};
    const joining = () => new Promise<void>((resolve) => (join = resolve));
    const { incarnations, failures } = await started({}, { joining });
    const late = join;
    const timeout = { apiName: 'Metadata', broker: 'b:1' };
    incarnations[0]!.emit('consumer.network.request_timeout', timeout);
    await until(() => incarnations.length === 2);
    expect(failures).toEqual(['b:1 has not answered Metadata']);
    late();
    join();
    await joined();
  });

  it('does not come back: what it still does is not for the consumer that took its place', async () => {
    const { incarnations, failures, offsets } = await started();
    finish();
    await joined();
    const [first] = incarnations;
    const late = await first!.fetched([0, 1]);
    first!.emit('consumer.crash', { error: CONNECTION_LOST });
    await until(() => incarnations.length === 2);
    await joined();
    expect(await first!.deliver(late)).toBeUndefined();
    await expect(first!.group.joinAndSync()).rejects.toMatchObject({ name: 'Superseded' });
    first!.emit('consumer.crash', { error: CONNECTION_LOST });
    expect(consumer.assigned()).toEqual([0]);
    expect(failures).toHaveLength(1);
    await give(incarnations[1]!, [0, 1]);
    await until(() => offsets().length > 0);
    expect(offsets()).toEqual([0, 1]);
  });
});

it('F5: a client that has left the group has lost its partitions, before it tells of its crash', async () => {
  const { current, incarnations, batches, failures } = await started();
  await joined();
  await give(current(), [0, 1, 2, 3]);
  await until(() => batches.length === 1);
  expect(current().paused()).toEqual([0]);
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  current().stop();
  finish(); // what had filled up drains
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('unhandledRejection', onRejection);
  expect(rejections).toEqual([]);
  expect(consumer.assigned()).toEqual([]);
  expect(batches[0]!.control.signal.aborted).toBe(true);
  current().emit('consumer.crash', { error: CONNECTION_LOST });
  await until(() => incarnations.length === 2);
  await joined();
  expect(failures).toEqual(['Closed connection']);
});

it('F5: a client that was replaced while it handed over takes nothing from its successor', async () => {
  let answer = () => {};
  const heartbeating = () => new Promise<void>((resolve) => (answer = resolve));
  const { incarnations, batches } = await started({}, { heartbeating });
  await joined();
  const [first] = incarnations;
  await give(first!, [0]);
  await until(() => batches.length === 1);
  const joining = first!.group.joinAndSync().catch((error: Error) => error.name);
  await new Promise((resolve) => setTimeout(resolve, 20)); // its heartbeat is not answered
  first!.emit('consumer.crash', { error: CONNECTION_LOST });
  await until(() => incarnations.length === 2);
  await joined();
  answer();
  expect(await joining).toBe('Superseded');
  expect(consumer.assigned()).toEqual([0]);
  expect(await give(incarnations[1]!, [0, 1])).toBe('1');
});

describe('a close', () => {
  it('client hazard 15: while it joins leaves the group as soon as it has joined', async () => {
    let join = () => {};
    const joining = () => new Promise<void>((resolve) => (join = resolve));
    const { current } = await started({}, { joining });
    const closing = consumer.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(current().disconnected()).toBe(false);
    join();
    await closing;
    expect(current().leaves()).toBe(1);
    expect(current().disconnected()).toBe(true);
    expect(consumer.assigned()).toEqual([]);
  });

  it('that hangs leaves half of a shutdown to what is closed after it', () => {
    expect(2 * CLOSE_TIMEOUT_MS).toBeLessThanOrEqual(SHUTDOWN_MS / 2);
  });

  it('gives up a batch that does not end, and then a broker that does not answer', async () => {
    const disconnecting = () => new Promise<void>(() => {});
    const { current, batches, failures } = await started(
      { close_timeout_ms: 20 },
      { disconnecting },
    );
    await joined();
    await give(current(), [0]);
    await until(() => batches.length === 1);
    await consumer.close();
    expect(failures).toEqual([
      'the batch in hand: given up after 20 ms',
      'leaving: given up after 20 ms',
    ]);
  });
});
