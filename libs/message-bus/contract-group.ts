import { setTimeout as sleep } from 'node:timers/promises';
import {
  committedSum,
  coordinate,
  keyIn,
  message,
  numbered,
  until,
  type Bench,
} from './contract-bench.js';
import {
  OwnershipLost,
  type BatchControl,
  type Consumer,
  type ReceivedMessage,
} from './src/index.js';

const PARTITIONS = 8;
const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** How the members of a group share its partitions. */
export function groupRules({ rule, topic, group, connect, broker }: Bench): void {
  /** What each member got, in order. */
  const member = async (topics: readonly string[], name: string, got: ReceivedMessage[]) => {
    const bus = await connect(topics, PARTITIONS);
    const handler = async (messages: readonly ReceivedMessage[]) => {
      got.push(...messages);
    };
    const consumer = await bus.consume({ group: name, topics, max_batch: 20, handler });
    return { bus, consumer };
  };
  const held = (consumers: readonly Consumer[]) =>
    consumers.flatMap((consumer) => [...consumer.assigned()]).toSorted((a, b) => a - b);
  const shared = (consumers: readonly Consumer[], least: number) => () =>
    held(consumers).join() === all.join() &&
    consumers.every((consumer) => consumer.assigned().length >= least);
  const everyPartition = (from: number) =>
    all.flatMap((partition) => numbered(keyIn(partition, PARTITIONS), 5, from));
  const valuesOf = (got: readonly ReceivedMessage[], name: string) =>
    got.filter((one) => one.topic === name).map(({ value }) => String(value));

  rule(
    'each partition is at one member, the same for all topics, and nothing comes twice',
    async () => {
      const names = [topic(), topic()];
      const members = group();
      const got: [ReceivedMessage[], ReceivedMessage[]] = [[], []];
      const one = await member(names, members, got[0]);
      const two = await member(names, members, got[1]);
      await until(shared([one.consumer, two.consumer], 4));
      for (const name of names) await one.bus.publish(name, everyPartition(0));
      await until(() => got.flat().length >= 80);
      expect(got.flat()).toHaveLength(80);
      for (const [index, { consumer }] of [one, two].entries()) {
        const seen = new Set(got[index]!.map(({ partition }) => partition));
        expect([...seen].toSorted((a, b) => a - b)).toEqual(consumer.assigned());
      }
    },
  );

  rule('a member that joins takes its share, and nothing is lost or reordered', async () => {
    const name = topic();
    const members = group();
    const got: ReceivedMessage[] = [];
    const one = await member([name], members, got);
    await until(shared([one.consumer], PARTITIONS));
    const publishing = (async () => {
      for (let n = 0; n < 40; n++) await one.bus.publish(name, everyPartition(n * 5));
    })();
    await until(() => got.length > 100);
    const two = await member([name], members, got);
    await until(shared([one.consumer, two.consumer], 4));
    await publishing;
    const sent = everyPartition(0).length * 40;
    const unique = () => new Map(got.map((received) => [coordinate(received), received]));
    await until(() => unique().size >= sent);
    expect(unique().size).toBe(sent);
    for (const partition of all) {
      const first = [...unique().values()].filter((received) => received.partition === partition);
      const expected = numbered(keyIn(partition, PARTITIONS), 200).map(({ value }) => value);
      expect(first.map(({ value }) => value)).toEqual(expected);
    }
  });

  rule(
    'a member that joins waits for the batch in hand, which is neither lost nor repeated',
    async () => {
      const name = topic();
      const members = group();
      const bus = await connect([name], PARTITIONS);
      const busy = pausedHandler();
      const options = { group: members, topics: [name], max_batch: 100 };
      const one = await bus.consume({ ...options, handler: busy.handler });
      await bus.publish(name, everyPartition(0));
      await until(() => busy.got.length > 0);
      const got: ReceivedMessage[] = [];
      const two = await member([name], members, got);
      await sleep(50); // time enough to take what it must not
      const inHand = new Set(busy.got.map(coordinate));
      busy.resume();
      await until(shared([one, two.consumer], 4));
      await until(() => busy.got.length + got.length >= 40);
      expect(busy.got.length + got.length).toBe(40);
      expect(got.map(coordinate).filter((one) => inHand.has(one))).toEqual([]);
    },
    'peaceful hand-over',
  );

  rule('a member that leaves hands its partitions over, and nothing comes twice', async () => {
    const name = topic();
    const members = group();
    const got: ReceivedMessage[] = [];
    const one = await member([name], members, got);
    const two = await member([name], members, got);
    await until(shared([one.consumer, two.consumer], 4));
    await one.bus.publish(name, everyPartition(0));
    await until(() => got.length >= 40);
    await one.consumer.close();
    await until(shared([two.consumer], PARTITIONS));
    await one.bus.publish(name, everyPartition(5));
    await until(() => got.length >= 80);
    expect(new Set(valuesOf(got, name)).size).toBe(80);
    expect(got).toHaveLength(80);
  });

  rule('the partitions of a member that died go to the others, from the last commit', async () => {
    const name = topic();
    const members = group();
    const dead = await connect([name], PARTITIONS);
    const ghost = pausedHandler();
    const options = { group: members, topics: [name], max_batch: 100 };
    await dead.consume({ ...options, handler: ghost.handler });
    await dead.publish(name, everyPartition(0));
    await until(() => ghost.got.length > 0);
    await broker().cut(dead);

    const bus = await connect([name], PARTITIONS);
    const heir = pausedHandler();
    const consumer = await bus.consume({ ...options, handler: heir.handler });
    await until(shared([consumer], PARTITIONS));
    await until(() => heir.got.length > 0);
    // Were it alive after all, what it finishes would not count.
    ghost.resume();
    await sleep(100);
    expect(await committedSum(bus, members, name)).toBe(0);
    heir.resume();
    await until(async () => (await committedSum(bus, members, name)) === 40);
    expect(new Set(valuesOf(heir.got, name)).size).toBe(40);
  });

  rule(
    'an evicted member learns it from its heartbeat, and its commit is refused',
    async () => {
      const name = topic();
      const members = group();
      const bus = await connect([name], 1);
      await bus.publish(name, [message('k', 'v')]);
      const deliveries: BatchControl[] = [];
      let finish = () => {};
      const heir: string[] = [];
      await bus.consume({
        group: members,
        topics: [name],
        max_batch: 10,
        handler: async (messages, control) => {
          deliveries.push(control);
          if (deliveries.length === 1) await new Promise<void>((resolve) => (finish = resolve));
          else heir.push(...messages.map(coordinate));
          if (deliveries.length === 2) throw new Error('not done yet');
        },
      });
      await until(() => deliveries.length === 1);
      const zombie = deliveries[0]!;
      await zombie.heartbeat();

      await broker().evict(bus);
      await until(() => zombie.signal.aborted);
      await expect(zombie.heartbeat()).rejects.toBeInstanceOf(OwnershipLost);
      finish();
      // Had the zombie's commit counted, the message would not come again.
      await until(() => heir.length >= 2);
      expect(heir[0]).toBe(`${name}/0/0`);
      await until(async () => (await committedSum(bus, members, name)) === 1);
    },
    'eviction',
  );
}

/** A handler that waits until it is told to go on, and from then on does not. */
function pausedHandler() {
  const got: ReceivedMessage[] = [];
  let resume = () => {};
  const resumed = new Promise<void>((resolve) => (resume = resolve));
  const handler = async (messages: readonly ReceivedMessage[]) => {
    got.push(...messages);
    await resumed;
  };
  return { got, handler, resume };
}
