import type { EventStoreDb, EventStoreDbOptions } from './event-store-db.js';

/** Loads its client when it is first used: an embedded ledger never needs it. */
export async function openEventStoreDb(options: EventStoreDbOptions): Promise<EventStoreDb> {
  const { eventStoreDb } = await import('./event-store-db.js');
  return eventStoreDb(options);
}
