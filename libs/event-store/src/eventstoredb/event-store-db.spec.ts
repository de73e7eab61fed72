import { startEventStoreServer } from '../../../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../../../test/eventstore-server/server.js';
import { eventStoreContract } from '../contract.js';
import { eventStoreDb } from './event-store-db.js';

describe('on the test double', () => {
  let server: EventStoreServer;
  beforeAll(async () => (server = await startEventStoreServer()));
  afterAll(() => server.stop());
  eventStoreContract('EventStoreDB', async () =>
    eventStoreDb({ url: server.url, behind_timeout_ms: 100 }),
  );
});

const url = process.env['EVENTSTORE_URL'];
if (url?.startsWith('esdb')) {
  describe('on the server that EVENTSTORE_URL names', () => {
    eventStoreContract('EventStoreDB', async () => eventStoreDb({ url, behind_timeout_ms: 100 }));
  });
} else {
  process.stderr.write('EVENTSTORE_URL is not set: the suite runs on the test double alone\n');
}
