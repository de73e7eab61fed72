export { embeddedMessageBus } from './embedded/embedded-bus.js';
export { memoryMessageBus } from './memory/memory-bus.js';
export * from './port.js';
// For the simulation, which brings a broker of its own.
export { readFairly, type Cursor, type Feed } from './delivery/cursor.js';
export { startMember, type Member, type MemberSettings } from './delivery/member.js';
export { startTail } from './delivery/tail.js';
export * from './nest/batch-transport.js';
export * from './kafka/index.js';
