export { embeddedMessageBus } from './embedded/embedded-bus.js';
export { memoryMessageBus } from './memory/memory-bus.js';
export * from './port.js';
export * from './nest/batch-transport.js';
export * from './kafka/index.js';
