export * from './memory/memory-event-store.js';
export * from './port.js';
