import type { Admin } from 'kafkajs';
import type { MessageBus } from '../port.js';
import type { KafkaConnection } from './connection.js';
import type { KafkaBusOptions } from './kafka-bus.js';

export { TopicsRefused } from './errors.js';
export type { KafkaBusOptions } from './kafka-bus.js';
export { createTopics, ledgerTopics, topicFaults } from './topics.js';

// Kafka's client is loaded when it is first used: an embedded ledger never needs it.

export async function kafkaMessageBus(options: KafkaBusOptions): Promise<MessageBus> {
  const { kafkaMessageBus: open } = await import('./kafka-bus.js');
  return open(options);
}

export async function withAdmin<T>(
  connection: KafkaConnection,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const { withAdmin: connected } = await import('./connection.js');
  return connected(connection, work);
}
