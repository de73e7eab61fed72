import { messageBusContract } from '../../contract.js';
import type { MessageBus } from '../index.js';
import { memoryBroker, memoryMessageBus, type MemoryBroker } from './memory-bus.js';

const retry = { min_ms: 10, max_ms: 50 };

messageBusContract({
  name: 'the bus in memory',
  timeout_ms: 5_000,
  async start() {
    const brokers = new Map<string, MemoryBroker>();
    const homes = new Map<MessageBus, MemoryBroker>();
    return {
      async connect(topics, partitions) {
        const id = topics.join();
        const on_error = () => {};
        const broker = brokers.get(id) ?? memoryBroker({ topics, partitions, retry, on_error });
        brokers.set(id, broker);
        const bus = broker.connect();
        homes.set(bus, broker);
        return bus;
      },
      async cut(bus) {
        homes.get(bus)?.cut(bus);
        homes.delete(bus);
      },
      async evict(bus) {
        homes.get(bus)?.evict(bus);
      },
      async stop() {
        await Promise.all([...homes.keys()].map((bus) => bus.close()));
      },
    };
  },
});

it('follows back a clock that was put right', async () => {
  let now_ms = Date.parse('2026-01-31T13:00:00.000Z');
  const bus = memoryMessageBus({ topics: ['t'], partitions: 1, now_ms: () => now_ms });
  await bus.publish('t', [{ key: 'k', value: 'first' }]);
  now_ms -= 3_600_000;
  await bus.publish('t', [{ key: 'k', value: 'second' }]);
  for await (const page of bus.scan('t')) {
    expect(page.at(-1)!.timestamp).toBe('2026-01-31T12:00:00.000Z');
  }
});

it('stamps with the time that it is given', async () => {
  let now_ms = Date.parse('2026-01-31T12:00:00.000Z');
  const bus = memoryMessageBus({ topics: ['t'], partitions: 1, now_ms: () => now_ms });
  await bus.publish('t', [{ key: 'k', value: 'first' }]);
  now_ms -= 1_000;
  await bus.publish('t', [{ key: 'k', value: 'second' }]);
  for await (const page of bus.scan('t')) {
    expect(page.map(({ timestamp }) => timestamp)).toEqual([
      '2026-01-31T12:00:00.000Z',
      '2026-01-31T12:00:00.000Z',
    ]);
  }
});

it('takes nothing after it was closed', async () => {
  const bus = memoryMessageBus({ topics: ['t'], partitions: 1 });
  await bus.close();
  await expect(bus.publish('t', [])).rejects.toThrow('closed');
});
