export * from './embedded/embedded-event-store.js';
export * from './eventstoredb/event-store-db.js';
export * from './memory/memory-event-store.js';
export * from './port.js';
