import {
  MAX_QUEUED_BYTES,
  message,
  numbered,
  scanned,
  until,
  type Bench,
} from './contract-bench.js';
import { MessageTooLarge } from './src/message-value.js';
import { partitionOf } from './src/partitioner.js';
import type { MessageValue, ReceivedMessage } from './src/port.js';

const values: readonly (readonly [what: string, sent: MessageValue, received: MessageValue])[] = [
  ['nothing', null, null],
  ['an empty text', '', ''],
  ['JSON', '{"a":"\\"b\\"","c":"\\n"}', '{"a":"\\"b\\"","c":"\\n"}'],
  ['NUL', 'a\0b', 'a\0b'],
  ['tab, newline, carriage return, backslash', 'a\tb\nc\rd\\e', 'a\tb\nc\rd\\e'],
  ['line and paragraph separators', 'a\u2028b\u2029c', 'a\u2028b\u2029c'],
  ['text beyond the basic plane', '顧客 💶', '顧客 💶'],
  ['a byte order mark', '\ufeffa', '\ufeffa'],
  ['a lone surrogate, which has no UTF-8', 'a\ud800b', 'a\ufffdb'],
  ['bytes that are UTF-8', Buffer.from('grün'), 'grün'],
  [
    'bytes that are not UTF-8',
    Buffer.from([0xff, 0, 0x0a, 0x80]),
    Buffer.from([0xff, 0, 0x0a, 0x80]),
  ],
  ['no bytes', Buffer.alloc(0), ''],
];

/** What a message is after the way through the bus. */
export function messageRules({ rule, topic, group, connect }: Bench): void {
  for (const [what, sent, expected] of values) {
    rule(`hands on a value as it was sent: ${what}`, async () => {
      const name = topic();
      const bus = await connect([name]);
      await bus.publish(name, [
        message('before', 'x'),
        { key: 'k', value: sent },
        message('k', 'y'),
      ]);
      const found = (await scanned(bus, name)).filter(({ key }) => key === 'k');
      expect(found.map(({ value }) => value)).toEqual([expected, 'y']);
    });
  }

  rule('hands on keys and headers, and puts a message without a key into partition 0', async () => {
    const name = topic();
    const bus = await connect([name]);
    const headers = { reply_to: 'gateway-1', 'x y': 'ü\t"\n' };
    const keys = ['tenant/account', 'ключ', '', 'a"b\\c\td', null];
    await bus.publish(
      name,
      keys.map((key) => ({ key, value: 'v', headers })),
    );
    const found = await scanned(bus, name);
    expect(new Set(found.map(({ key }) => key))).toEqual(new Set(keys));
    for (const received of found) {
      expect(received).toMatchObject({ topic: name, headers });
      expect(received.partition).toBe(partitionOf(received.key, 4));
    }
  });

  rule('delivers a message of 900 kB, and refuses one that no broker takes', async () => {
    const name = topic();
    const bus = await connect([name]);
    const big = 'ü"\n'.repeat(225_000);
    await bus.publish(name, [message('k', big)]);
    expect((await scanned(bus, name))[0]?.value).toBe(big);
    const refused = bus.publish(name, [message('k', 'x'), message('k', 'x'.repeat(1_100_000))]);
    await expect(refused).rejects.toBeInstanceOf(MessageTooLarge);
    expect(await scanned(bus, name)).toHaveLength(1);
  });

  rule('publishes 10,000 messages in one call, in order per key', async () => {
    const name = topic();
    const bus = await connect([name]);
    const keys = Array.from({ length: 100 }, (_, index) => `key${index}`);
    const sent = Array.from({ length: 10_000 }, (_, n) => message(keys[n % 100]!, `${n}`));
    await bus.publish(name, sent);
    const found = await scanned(bus, name);
    expect(found).toHaveLength(10_000);
    for (const key of keys) {
      const numbers = found.filter((one) => one.key === key).map((one) => Number(one.value));
      expect(numbers).toEqual(
        sent.filter((one) => one.key === key).map((one) => Number(one.value)),
      );
    }
  });

  rule('publishes in one call more than may be queued, in order per key', async () => {
    const name = topic();
    const bus = await connect([name]);
    const filler = '.'.repeat(MAX_QUEUED_BYTES / 10);
    const sent = Array.from({ length: 30 }, (_, n) => message(`key${n % 2}`, `${n}${filler}`));
    await bus.publish(name, sent);
    const found = await scanned(bus, name);
    for (const key of ['key0', 'key1']) {
      const numbers = found
        .filter((one) => one.key === key)
        .map((one) => parseInt(String(one.value)));
      expect(numbers).toEqual(Array.from({ length: 15 }, (_, n) => 2 * n + Number(key.at(-1))));
    }
  });

  rule(
    'keeps the order of calls that are awaited, and offsets and time never go back',
    async () => {
      const name = topic();
      const bus = await connect([name]);
      const before = Date.now();
      for (let n = 0; n < 20; n++) await bus.publish(name, numbered('k', 3, n * 3));
      const found = await scanned(bus, name);
      expect(found.map(({ value }) => value)).toEqual(numbered('k', 60).map(({ value }) => value));
      for (const [index, one] of found.entries()) {
        const previous = found[index - 1];
        if (previous === undefined) continue;
        expect(one.offset).toBeGreaterThan(previous.offset);
        expect(one.timestamp >= previous.timestamp).toBe(true);
      }
      // The broker may run on a machine with another clock.
      const minute = 60_000;
      expect(Date.parse(found[0]!.timestamp)).toBeGreaterThan(before - minute);
      expect(found[0]!.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    },
  );

  rule(
    'counts offsets up by one',
    async () => {
      const name = topic();
      const bus = await connect([name], 1);
      await bus.publish(name, numbered('a', 5));
      await bus.publish(name, numbered('b', 5));
      const offsets = (await scanned(bus, name)).map(({ offset }) => offset);
      expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
    'gapless offsets',
  );

  rule('lets concurrent callers publish, all or nothing lost', async () => {
    const name = topic();
    const buses = [await connect([name]), await connect([name])];
    const calls = Array.from({ length: 200 }, (_, n) =>
      buses[n % 2]!.publish(name, [message(`key${n}`, `${n}-a`), message(`other${n}`, `${n}-b`)]),
    );
    await Promise.all(calls);
    const found = await scanned(buses[0]!, name);
    expect(new Set(found.map(({ value }) => value)).size).toBe(400);
    expect(found).toHaveLength(400);
  });

  rule('publishes nothing when there is nothing to publish', async () => {
    const name = topic();
    const bus = await connect([name]);
    await bus.publish(name, []);
    expect(await scanned(bus, name)).toEqual([]);
  });

  rule('refuses a topic that it does not know', async () => {
    const bus = await connect([topic()]);
    await expect(bus.publish('unheard-of', [message('k', 'v')])).rejects.toThrow('unheard-of');
  });

  rule('tail: every caller gets every message from now on, and none from before', async () => {
    const name = topic();
    const bus = await connect([name]);
    const other = await connect([name]);
    await bus.publish(name, numbered('before', 10));
    const heard: [ReceivedMessage[], ReceivedMessage[]] = [[], []];
    await bus.tail(name, (messages) => heard[0].push(...messages));
    await other.tail(name, (messages) => {
      heard[1].push(...messages);
      throw new TypeError('a handler that fails');
    });
    const sent = [...numbered('k', 50), ...numbered('l', 50)];
    for (const one of sent) await bus.publish(name, [one]);
    await until(() => heard.every((messages) => messages.length >= 100));
    for (const messages of heard) {
      expect(messages).toHaveLength(100);
      const ofK = messages.filter(({ key }) => key === 'k').map(({ value }) => value);
      expect(ofK).toEqual(numbered('k', 50).map(({ value }) => value));
    }
  });

  rule('tail: nothing comes after close', async () => {
    const name = topic();
    const bus = await connect([name]);
    const closed: ReceivedMessage[] = [];
    const open: ReceivedMessage[] = [];
    const tail = await bus.tail(name, (messages) => closed.push(...messages));
    await bus.tail(name, (messages) => open.push(...messages));
    await tail.close();
    await bus.publish(name, numbered('k', 5));
    await until(() => open.length === 5);
    expect(closed).toEqual([]);
  });

  rule(
    'positions: begin and end of each partition, and no commit of a group unheard of',
    async () => {
      const name = topic();
      const bus = await connect([name]);
      await bus.publish(name, numbered('k', 7));
      const home = partitionOf('k', 4);
      const positions = await bus.positions(group(), [name]);
      expect(positions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
      expect(positions.every(({ committed }) => committed === null)).toBe(true);
      expect(positions[home]).toMatchObject({ topic: name, begin: 0 });
      const held = positions.map(({ begin, end }) => end - begin);
      expect(held[home]).toBeGreaterThanOrEqual(7);
      expect(held.filter((count) => count > 0)).toHaveLength(1);
    },
  );
}
