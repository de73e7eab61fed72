import type pg from 'pg';
import { deadLetterOf, encodeDeadLetter, type Instant } from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';
import { allDeadLetters, migrateOperations } from '#libs/read-models';
import { freshDatabase, type TestDatabase } from '../../../test/postgres.js';
import { fileBatch } from './dead-letter-file.js';

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  ({ pool } = database);
  await migrateOperations(pool);
});
afterEach(() => database.drop());

const timestamp = '2026-01-31T12:00:00.123Z' as Instant;
const message = (offset: number, value: string): ReceivedMessage => ({
  topic: 'ledger.dead-letters',
  partition: 0,
  offset,
  timestamp,
  key: 'acme/alice',
  value,
  headers: {},
});

const letter = (change: { timestamp?: string; topic?: string; partition?: number }) =>
  encodeDeadLetter(
    deadLetterOf(
      { ...message(7, 'x'), topic: 'ledger.usage', ...change } as ReceivedMessage,
      'invalid_request',
      'what is wrong with it',
    ),
  );

it.each([
  ['a day that does not exist', letter({ timestamp: '2026-02-31T12:00:00.000Z' })],
  ['a partition that no topic has', letter({ partition: 3e9 })],
  ['a topic that no text holds', letter({ topic: 'a\0b' })],
  ['no dead letter at all', '{}'],
])('files what it cannot hold as undecodable, and what comes behind it: %s', async (_, bad) => {
  await fileBatch(pool, [message(0, bad), message(1, letter({}))]);
  const { items } = await allDeadLetters(pool);
  expect(items).toMatchObject([
    { source: { topic: 'ledger.usage', offset: 7 }, reason: 'invalid_request' },
    { source: { topic: 'ledger.dead-letters', offset: 0 }, reason: 'undecodable', value: bad },
  ]);
});

it('passes on what is not the letters own fault', async () => {
  await pool.query('drop table ops.dead_letters');
  await expect(fileBatch(pool, [message(0, letter({}))])).rejects.toThrow('does not exist');
});
