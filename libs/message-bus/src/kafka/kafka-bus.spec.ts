import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { MAX_QUEUED_BYTES, message, scanned, until } from '../../contract-bench.js';
import { messageBusContract } from '../../contract.js';
import {
  connectBus,
  describeKafka,
  evictMembers,
  makeTopics,
  sharedKafka,
  type TestBus,
} from '../../../../test/kafka.js';
import type { MessageBus, ReceivedMessage } from '../index.js';

const limits = { max_queued_bytes: MAX_QUEUED_BYTES };

describeKafka('Kafka', () => {
  messageBusContract({
    name: 'the bus on Kafka',
    timeout_ms: 20_000,
    async start() {
      const brokers = await sharedKafka();
      const buses = new Map<MessageBus, TestBus>();
      const closing: Promise<void>[] = [];
      return {
        async connect(topics, partitions) {
          await makeTopics(brokers, topics, partitions);
          const connected = await connectBus(brokers, topics, partitions, limits);
          buses.set(connected.bus, connected);
          return connected.bus;
        },
        async cut(bus) {
          buses.get(bus)!.cut();
          buses.delete(bus);
          closing.push(bus.close());
        },
        evict: (bus) => evictMembers(brokers, buses.get(bus)!.client_id),
        async stop() {
          await Promise.all([...[...buses.keys()].map((bus) => bus.close()), ...closing]);
        },
      };
    },
  });

  it.each(['first', 'last'])(
    'client hazard 22: begins with a broker in its list that answers nothing and comes %s',
    async (place) => {
      const sockets: Socket[] = [];
      const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const hung = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const brokers = await sharedKafka();
      const topic = `silent-${place}`;
      await makeTopics(brokers, [topic], 2);
      const seeds = place === 'first' ? [hung, ...brokers] : [...brokers, hung];
      // Soon enough to wait for, and late enough for a busy broker not to look silent.
      const soon = { request_timeout_ms: 5_000 };
      const { bus } = await connectBus(seeds, [topic], 2, {}, soon);
      const got: string[] = [];
      const handler = async (messages: readonly ReceivedMessage[]) => {
        got.push(...messages.map(({ value }) => String(value)));
      };
      await bus.tail(topic, () => {});
      for (const group of ['a', 'b', 'c'])
        await bus.consume({ group: `${topic}-${group}`, topics: [topic], max_batch: 10, handler });
      await bus.publish(topic, [message('k', 'v')]);
      await until(() => got.length === 3);
      expect(await scanned(bus, topic)).toHaveLength(1);
      await bus.close();
      for (const socket of sockets) socket.destroy();
      silent.close();
    },
    60_000,
  );
});
