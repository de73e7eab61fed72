import type { Consumer } from '../port.js';

/** The consumers and tails of one connection to a bus, which end with it. */
interface OpenConsumers {
  /** Rejects, and closes the consumer, when the connection was closed while it started. */
  readonly keep: (consumer: Consumer) => Promise<Consumer>;
  readonly close: () => Promise<void>;
}

export function openConsumers(): OpenConsumers {
  const open = new Set<Consumer>();
  let closed = false;
  return {
    async keep(consumer) {
      if (closed) {
        await consumer.close();
        throw new Error('the message bus is closed');
      }
      const kept: Consumer = {
        assigned: () => consumer.assigned(),
        close() {
          open.delete(kept);
          return consumer.close();
        },
      };
      open.add(kept);
      return kept;
    },
    async close() {
      closed = true;
      await Promise.all([...open].map((consumer) => consumer.close()));
    },
  };
}
