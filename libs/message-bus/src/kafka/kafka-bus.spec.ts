import { MAX_QUEUED_BYTES } from '../../contract-bench.js';
import { messageBusContract } from '../../contract.js';
import {
  connectBus,
  describeKafka,
  evictMembers,
  makeTopics,
  sharedKafka,
  type TestBus,
} from '../../../../test/kafka.js';
import type { MessageBus } from '../index.js';

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
});
