export { PublishTimeout } from './embedded/admission.js';
export { embeddedMessageBus } from './embedded/embedded-bus.js';
export type { EmbeddedBusOptions } from './embedded/embedded-bus.js';
export { memoryBroker, memoryMessageBus } from './memory/memory-bus.js';
export type { MemoryBroker, MemoryBusOptions } from './memory/memory-bus.js';
export { MAX_MESSAGE_BYTES, MessageTooLarge } from './message-value.js';
export { partitionOf } from './partitioner.js';
export * from './port.js';
export * from './nest/batch-transport.js';
