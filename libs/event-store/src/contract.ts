import { appending } from './contract/appending.js';
import { followingLive } from './contract/following-live.js';
import { idempotency } from './contract/idempotency.js';
import { racing } from './contract/racing.js';
import { readingAll } from './contract/reading-all.js';
import { readingStreams } from './contract/reading-streams.js';
import { refusing } from './contract/refusing.js';
import { subscribing } from './contract/subscribing.js';
import type { EventStore } from './port.js';

/** Two stores over one log, as two processes have them. */
export type Stores = () => readonly [EventStore, EventStore];

/**
 * What every event store must keep; the text of the port, as tests. It relies on the port alone: every
 * test has its own streams under its own prefix, the log may hold anything else, positions are opaque,
 * and what a subscription has not delivered yet may still come.
 *
 * `open` gives another store over the same log at every call. It is first called after the caller's
 * own beforeAll, and every store is closed at the end.
 */
export function eventStoreContract(name: string, open: () => Promise<EventStore>): void {
  describe(`${name}, held to the event store contract,`, () => {
    const opened: EventStore[] = [];

    beforeAll(async () => {
      opened.push(await open());
      opened.push(await open());
    });
    afterAll(async () => {
      for (const store of opened) await store.close();
    });

    const stores: Stores = () => [opened[0]!, opened[1]!];
    appending(stores);
    idempotency(stores);
    refusing(stores);
    racing(stores);
    readingStreams(stores);
    readingAll(stores);
    subscribing(stores);
    followingLive(stores);
  });
}
