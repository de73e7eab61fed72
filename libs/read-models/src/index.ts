export * from './checkpoint.js';
export * from './look-up.js';
export * from './operations/parked-accounts.js';
export * from './projection/projection.js';
export type { StoredEvent } from './projection/projected-event.js';
export * from './schema.js';
