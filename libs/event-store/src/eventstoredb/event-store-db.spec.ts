import { startEventStoreServer } from '../../../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../../../test/eventstore-server/server.js';
import { eventStoreContract } from '../contract.js';
import { eventStoreDb } from './event-store-db.js';

describe.each([
  ['on the test double', {}],
  // As a busy or replicated server: a conflict is answered before reads show what was in the way.
  ['on the test double that shows events late', { index_delay_ms: 30 }],
])('%s', (_, options) => {
  let server: EventStoreServer;
  beforeAll(async () => (server = await startEventStoreServer(options)));
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
