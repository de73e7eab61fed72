export * from './embedded/embedded-event-store.js';
export * from './eventstoredb/index.js';
export * from './memory/memory-event-store.js';
export * from './port.js';
