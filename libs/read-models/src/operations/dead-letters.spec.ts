import type pg from 'pg';
import { deadLetterOf, originalBytes, type DeadLetter, type Instant } from '#libs/contracts';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { migrateOperations } from '../schema.js';
import { allDeadLetters, deadLetters, fileDeadLetters, markRedriven } from './dead-letters.js';

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  ({ pool } = database);
  await migrateOperations(pool);
});
afterEach(() => database.drop());

let offset = 0;
const letter = (
  key: string | null,
  value: string | Buffer | null,
  reason: DeadLetter['reason'] = 'invalid_request',
): DeadLetter =>
  deadLetterOf(
    {
      topic: 'ledger.usage',
      partition: 3,
      offset: (offset += 1),
      timestamp: '2026-01-31T12:00:00.123Z' as Instant,
      key,
      value,
      headers: { reply_to: 'gateway-1' },
    },
    reason,
    'what is wrong with it',
  );

const of = (tenant_id: string) => JSON.stringify({ tenant_id });

it.each([
  ['text', 'acme/alice', 'grüße'],
  ['bytes', 'acme/alice', Buffer.from([0xff, 0, 0xfe])],
  ['nothing', null, null],
  ['empty', '', ''],
  ['NUL, which no Postgres text can hold', 'acme/\0', '{"a":"\\u0000\0"}'],
])('gives the whole message back: %s', async (_name, key, value) => {
  const filed = letter(key, value);
  await fileDeadLetters(pool, [filed]);
  const { items } = await allDeadLetters(pool);
  expect(items).toEqual([
    {
      ...filed,
      tenant_id: key?.startsWith('acme/') ? 'acme' : null,
      filed_at: expect.any(String),
      redriven_at: null,
      dismissed: null,
    },
  ]);
  expect(originalBytes(items[0]!)).toEqual(originalBytes(filed));
});

it('files each coordinate once', async () => {
  const letters = [letter('acme/a', '1'), letter('acme/a', '2')];
  expect(await fileDeadLetters(pool, letters)).toBe(2);
  expect(await fileDeadLetters(pool, [letters[1]!, letter('acme/a', '3')])).toBe(1);
  expect((await allDeadLetters(pool)).items).toHaveLength(3);
  expect(await fileDeadLetters(pool, [])).toBe(0);
});

it('I16: shows a tenant what its key and its content say is its own', async () => {
  const own = [
    letter('acme/alice', of('acme')),
    letter('acme/alice', 'not JSON', 'undecodable'),
    letter('acme/alice', 'null'),
    letter('acme/alice', null),
    letter('acme/alice', Buffer.from([0xff]), 'undecodable'),
  ];
  const others = [
    letter('acme/alice', of('other'), 'wrong_key'),
    letter('acme/alice', JSON.stringify({ tenant_id: 7 })),
    letter('other/alice', of('acme'), 'wrong_key'),
    letter('other/alice', of('other')),
    letter('acme', of('acme'), 'wrong_key'),
    letter(null, of('acme'), 'wrong_key'),
    letter('acme2/alice', of('acme2')),
  ];
  await fileDeadLetters(pool, [...own, ...others]);
  const seen = (await deadLetters(pool, 'acme')).items.map((item) => item.source.offset);
  expect(seen).toEqual(own.map(({ source }) => source.offset).reverse());
  expect((await allDeadLetters(pool)).items).toHaveLength(own.length + others.length);
});

it('lists the last filed first, page by page', async () => {
  const letters = Array.from({ length: 5 }, (_, i) => letter('acme/a', String(i)));
  for (const each of letters) await fileDeadLetters(pool, [each]);
  const first = await deadLetters(pool, 'acme', { limit: 3 });
  const second = await deadLetters(pool, 'acme', { limit: 3, cursor: first.next_cursor! });
  expect([...first.items, ...second.items].map((item) => item.value)).toEqual([
    '4',
    '3',
    '2',
    '1',
    '0',
  ]);
  expect(second.next_cursor).toBeNull();
});

it('notes what was redriven, once', async () => {
  const letters = [letter('acme/a', '1'), letter('acme/a', '2')];
  await fileDeadLetters(pool, letters);
  expect(await markRedriven(pool, [letters[0]!.source])).toBe(1);
  expect(
    await markRedriven(
      pool,
      letters.map(({ source }) => source),
    ),
  ).toBe(1);
  expect(await markRedriven(pool, [letter('acme/a', '3').source])).toBe(0);
  await fileDeadLetters(pool, [letter('acme/a', 'open')]);
  const open = await allDeadLetters(pool, { open: true });
  expect(open.items.map((item) => item.value)).toEqual(['open']);
  expect((await allDeadLetters(pool)).items).toHaveLength(3);
});
