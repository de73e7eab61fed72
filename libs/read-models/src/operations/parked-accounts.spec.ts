import type pg from 'pg';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { migrateOperations } from '../schema.js';
import { parkAccount, parkedAccounts, unparkAccount } from './parked-accounts.js';

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  ({ pool } = database);
  await migrateOperations(pool);
});
afterEach(() => database.drop());

const source = { topic: 'ledger.usage', partition: 2, offset: 41 };
const alice = { tenant_id: 'acme', account_id: 'alice', reason: 'balance below zero', source };

it('keeps the first reason and where it happened, however often it is told', async () => {
  await parkAccount(pool, alice);
  await parkAccount(pool, { ...alice, reason: 'another', source: { ...source, offset: 42 } });
  expect(await parkedAccounts(pool)).toEqual([
    { ...alice, parked_at: expect.stringMatching(/^\d{4}-.*Z$/) },
  ]);
});

it('holds a reason that quotes what a stranger sent', async () => {
  await parkAccount(pool, { ...alice, reason: 'a \0 byte' });
  expect(await parkedAccounts(pool)).toMatchObject([{ reason: 'a \ufffd byte' }]);
});

it('lets an account go again', async () => {
  await parkAccount(pool, alice);
  expect(await unparkAccount(pool, 'other', 'alice')).toBe(false);
  expect(await unparkAccount(pool, 'acme', 'alice')).toBe(true);
  expect(await unparkAccount(pool, 'acme', 'alice')).toBe(false);
  expect(await parkedAccounts(pool)).toEqual([]);
});
