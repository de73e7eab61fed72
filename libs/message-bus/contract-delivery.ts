import {
  committedSum,
  coordinate,
  keyIn,
  message,
  numbered,
  until,
  type Bench,
} from './contract-bench.js';
import { partitionOf } from './src/partitioner.js';
import type { BatchControl, ReceivedMessage } from './src/port.js';

/** How one consumer gets what was published. */
export function deliveryRules({ rule, topic, group, connect }: Bench): void {
  rule('delivers everything from the beginning, in order per key, in limited batches', async () => {
    const names = [topic(), topic()];
    const bus = await connect(names);
    const keys = Array.from({ length: 12 }, (_, index) => `key${index}`);
    for (const name of names)
      await bus.publish(
        name,
        keys.flatMap((key) => numbered(key, 20)),
      );
    const batches: ReceivedMessage[][] = [];
    const handler = async (messages: readonly ReceivedMessage[]) => {
      batches.push([...messages]);
    };
    const got = () => batches.flat();
    const consumer = await bus.consume({ group: group(), topics: names, max_batch: 50, handler });
    await until(() => got().length >= 240);
    for (const name of names)
      await bus.publish(
        name,
        keys.flatMap((key) => numbered(key, 20, 20)),
      );
    await until(() => got().length >= 960);
    await consumer.close();

    expect(got()).toHaveLength(960);
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(50);
    for (const name of names) {
      for (const key of keys) {
        const ofKey = got().filter((one) => one.topic === name && one.key === key);
        expect(ofKey.map(({ value }) => value)).toEqual(numbered(key, 40).map((one) => one.value));
      }
    }
  });

  rule('delivers a failed batch again after a pause, and commits nothing before', async () => {
    const name = topic();
    const members = group();
    const bus = await connect([name], 1);
    await bus.publish(name, numbered('k', 10));
    const deliveries: string[][] = [];
    const failures: [unknown, number][] = [];
    const committed: number[] = [];
    await bus.consume({
      group: members,
      topics: [name],
      max_batch: 100,
      on_failure: (error, attempt) => failures.push([error, attempt]),
      handler: async (messages) => {
        deliveries.push(messages.map(coordinate));
        committed.push(await committedSum(bus, members, name));
        if (deliveries.length <= 3) throw new Error(`failure ${deliveries.length}`);
      },
    });
    await until(() => committed.length === 4);
    expect(deliveries).toEqual([deliveries[0], deliveries[0], deliveries[0], deliveries[0]]);
    expect(deliveries[0]).toHaveLength(10);
    expect(failures.map(([error, attempt]) => [String(error), attempt])).toEqual([
      ['Error: failure 1', 1],
      ['Error: failure 2', 2],
      ['Error: failure 3', 3],
    ]);
    expect(committed).toEqual([0, 0, 0, 0]);
  });

  rule('survives a handler that throws a TypeError', async () => {
    const name = topic();
    const bus = await connect([name]);
    await bus.publish(name, [message('k', 'not json')]);
    const got: (string | null)[] = [];
    let poisoned = 0;
    await bus.consume({
      group: group(),
      topics: [name],
      max_batch: 10,
      handler: async (messages) => {
        if (poisoned++ < 2) (undefined as unknown as ReceivedMessage[]).map(String);
        got.push(...messages.map(({ value }) => String(value)));
      },
    });
    await until(() => got.length === 1);
    await bus.publish(name, [message('k', 'next')]);
    await until(() => got.length === 2);
    expect(got).toEqual(['not json', 'next']);
    expect(poisoned).toBeGreaterThanOrEqual(4);
  });

  rule('a failing batch does not hold up what other members hold', async () => {
    const name = topic();
    const members = group();
    const [one, two] = [await connect([name]), await connect([name])];
    const stuck = new Set<number>();
    const done = new Set<number>();
    const handler = async (messages: readonly ReceivedMessage[]) => {
      const poisoned = messages.filter(({ value }) => value === 'poison');
      for (const { partition } of poisoned) stuck.add(partition);
      if (poisoned.length > 0) throw new Error('poison');
      for (const { partition } of messages) done.add(partition);
    };
    const options = { group: members, topics: [name], max_batch: 1, handler };
    const consumers = [await one.consume(options), await two.consume(options)];
    await until(() => consumers.every((consumer) => consumer.assigned().length === 2));
    const [home] = consumers[0]!.assigned();
    const keyOf = (partition: number) => keyIn(partition, 4);
    await one.publish(name, [message(keyOf(home!), 'poison')]);
    await until(() => stuck.size > 0);
    for (const partition of consumers[1]!.assigned()) {
      await one.publish(name, [message(keyOf(partition), 'fine')]);
    }
    await until(() => done.size === 2);
    expect(done).toEqual(new Set(consumers[1]!.assigned()));
    expect([...stuck]).toEqual([home]);
  });

  rule('a failing batch does not hold up the other partitions of its member for long', async () => {
    const name = topic();
    const bus = await connect([name], 4);
    const keys = Array.from({ length: 4 }, (_, partition) => keyIn(partition, 4));
    const [poisoned, ...others] = keys;
    // There before anybody reads: one batch holds some of each.
    await bus.publish(name, [
      ...keys.flatMap((key) => numbered(key, 3)),
      message(poisoned!, 'poison'),
      ...numbered(poisoned!, 3, 3),
    ]);
    let isCured = false;
    let failures = 0;
    const done: ReceivedMessage[] = [];
    const handler = async (messages: readonly ReceivedMessage[]) => {
      if (!isCured && messages.some(({ value }) => value === 'poison')) {
        failures += 1;
        throw new Error('poison');
      }
      done.push(...messages);
    };
    await bus.consume({ group: group(), topics: [name], max_batch: 100, handler });
    const isDone = (count: number) => () =>
      others.every((one) => done.filter(({ key }) => key === one).length === count);
    await until(isDone(3));
    const before = failures;
    await until(() => failures >= before + 2);
    await bus.publish(
      name,
      others.flatMap((key) => numbered(key, 3, 3)),
    );
    await until(isDone(6));
    expect(done.filter(({ key }) => key === poisoned)).toEqual([]);
    isCured = true;
    await until(() => done.length === 25);
    const valuesOf = (one: string) => done.filter(({ key }) => key === one).map((m) => m.value);
    for (const key of others)
      expect(valuesOf(key)).toEqual(numbered(key, 6).map(({ value }) => value));
    const all = numbered(poisoned!, 6).map(({ value }) => value);
    expect(valuesOf(poisoned!)).toEqual([...all.slice(0, 3), 'poison', ...all.slice(3)]);
  });

  rule('goes on after a restart where it was, without a message twice', async () => {
    const name = topic();
    const members = group();
    const bus = await connect([name]);
    await bus.publish(name, numbered('k', 30));
    const got: ReceivedMessage[] = [];
    const handler = async (messages: readonly ReceivedMessage[]) => {
      got.push(...messages);
    };
    const options = { group: members, topics: [name], max_batch: 7, handler };
    const first = await bus.consume(options);
    await until(() => got.length >= 30);
    await first.close();
    expect(await committedSum(bus, members, name)).toBe(got.at(-1)!.offset + 1);
    await bus.close();

    const again = await connect([name]);
    await again.publish(name, numbered('k', 5, 30));
    await again.consume(options);
    await until(() => got.length >= 35);
    expect(got.map(({ value }) => value)).toEqual(numbered('k', 35).map(({ value }) => value));
  });

  rule('close waits for the batch in hand, tells it, and commits it', async () => {
    const name = topic();
    const members = group();
    const bus = await connect([name]);
    await bus.publish(name, numbered('k', 3));
    let control: BatchControl | undefined;
    let finish = () => {};
    const calls: number[] = [];
    const consumer = await bus.consume({
      group: members,
      topics: [name],
      max_batch: 1,
      handler: async (messages, given) => {
        calls.push(messages.length);
        control = given;
        await new Promise<void>((resolve) => (finish = resolve));
      },
    });
    await until(() => control !== undefined);
    await control!.heartbeat();
    expect(control!.signal.aborted).toBe(false);

    let closed = false;
    const closing = consumer.close().then(() => (closed = true));
    await until(() => control!.signal.aborted);
    expect(closed).toBe(false);
    await control!.heartbeat(); // still its own: it may finish
    finish();
    await closing;
    expect(calls).toEqual([1]);
    expect(await committedSum(bus, members, name)).toBe(1);
    expect(consumer.assigned()).toEqual([]);
  });

  rule('close leaves a batch that fails uncommitted, and does not try it again', async () => {
    const name = topic();
    const members = group();
    const bus = await connect([name]);
    await bus.publish(name, numbered('k', 3));
    let calls = 0;
    const consumer = await bus.consume({
      group: members,
      topics: [name],
      max_batch: 10,
      handler: async (_messages, { signal }) => {
        calls++;
        await until(() => signal.aborted);
        throw new Error('given up');
      },
    });
    await until(() => calls === 1);
    await consumer.close();
    expect(calls).toBe(1);
    expect(await committedSum(bus, members, name)).toBe(0);
  });

  rule('lets two groups read the same topic, each at its own pace', async () => {
    const name = topic();
    const bus = await connect([name]);
    await bus.publish(name, numbered('k', 10));
    const got: [number, number] = [0, 0];
    for (const which of [0, 1] as const) {
      await bus.consume({
        group: group(),
        topics: [name],
        max_batch: which + 1,
        handler: async (messages) => {
          got[which] += messages.length;
        },
      });
    }
    await until(() => got[0] >= 10 && got[1] >= 10);
    expect(got).toEqual([10, 10]);
  });

  rule('positions: what a group has done is soon what there is', async () => {
    const name = topic();
    const members = group();
    const bus = await connect([name]);
    const handler = async () => {};
    await bus.consume({ group: members, topics: [name], max_batch: 10, handler });
    await bus.publish(name, numbered('k', 25));
    const home = partitionOf('k', 4);
    const position = async () => (await bus.positions(members, [name]))[home]!;
    await until(async () => (await position()).committed === (await position()).end);
    expect((await position()).end).toBeGreaterThanOrEqual(25);
  });
}
