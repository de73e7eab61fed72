import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { eventStoreContract } from '../contract.js';
import { embeddedEventStore } from './embedded-event-store.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
}, 60_000);
afterAll(() => database.drop());

eventStoreContract('the embedded store', () => embeddedEventStore(database.pool));
