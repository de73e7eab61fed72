import type pg from 'pg';
import type { Instant } from '#libs/contracts';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { migrateOperations } from '../schema.js';
import { databaseTimeMs, setAside, setAsideAmong } from './set-aside.js';

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  ({ pool } = database);
  await migrateOperations(pool);
});
afterEach(() => database.drop());

const message = (offset: number, timestamp: string, topic = 'ledger.usage', partition = 3) => ({
  topic,
  partition,
  offset,
  timestamp: timestamp as Instant,
});
const NOON = '2026-01-31T12:00:00.001Z';
const LATER = '2026-01-31T13:00:00.999Z';

it('finds those of a batch that were set aside, by place and stamp', async () => {
  const chosen = [message(7, LATER), message(9, NOON)];
  expect(await setAside(pool, chosen)).toBe(2);
  const batch = [
    message(6, LATER),
    message(7, LATER),
    message(9, NOON),
    message(9, LATER), // the same place of a topic made anew
    message(7, LATER, 'ledger.requests'),
    message(7, LATER, 'ledger.usage', 4),
  ];
  expect([...(await setAsideAmong(pool, batch))]).toEqual([batch[1], batch[2]]);
  expect((await setAsideAmong(pool, [batch[1]!])).size).toBe(1);
  expect((await setAsideAmong(pool, [batch[0]!])).size).toBe(0);
  expect((await setAsideAmong(pool, [])).size).toBe(0);
});

it('sets each aside once', async () => {
  await setAside(pool, [message(7, LATER)]);
  expect(await setAside(pool, [message(7, LATER), message(8, LATER)])).toBe(1);
});

it('tells the time of the database', async () => {
  expect(Math.abs((await databaseTimeMs(pool)) - Date.now())).toBeLessThan(60_000);
});
