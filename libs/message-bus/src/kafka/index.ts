export { withAdmin, type KafkaConnection } from './connection.js';
export { OffsetLost, TopicUnfit } from './errors.js';
export { kafkaMessageBus, type KafkaBusConfig } from './kafka-bus.js';
export { createTopics, ledgerTopics, topicFaults, type TopicPlan } from './topics.js';
