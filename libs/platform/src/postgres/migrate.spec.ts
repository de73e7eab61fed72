import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { migrate, type Migration } from './migrate.js';
import { createPool } from './pool.js';

let database: TestDatabase;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(() => database.drop());

const first: Migration = {
  name: 'first',
  sql: 'create table thing (id int); select pg_sleep(0.05)',
};
const second: Migration = { name: 'second', sql: 'insert into thing values (2)' };

const things = async () =>
  (await database.pool.query<{ id: number }>('select * from things.thing')).rows;

it('applies each migration once, in order, also when several processes start at once', async () => {
  await Promise.all(
    Array.from({ length: 5 }, () => migrate(database.pool, 'things', [first, second])),
  );
  expect(await things()).toEqual([{ id: 2 }]);
});

it('applies what was appended to the list', async () => {
  await migrate(database.pool, 'things', [first]);
  await migrate(database.pool, 'things', [first, second]);
  expect(await things()).toEqual([{ id: 2 }]);
});

it('may take longer than any statement of the pool, also for whoever waits for it', async () => {
  const slow = { name: 'slow', sql: 'select pg_sleep(0.6); create table thing (id int)' };
  const pool = createPool(database.url, {
    application_name: 'impatient',
    max_connections: 2,
    query_timeout_ms: 200,
  });
  await Promise.all([migrate(pool, 'things', [slow]), migrate(pool, 'things', [slow])]);
  await pool.end();
  expect(await things()).toEqual([]);
});

it('keeps the schemas of one database apart', async () => {
  await migrate(database.pool, 'things', [first]);
  await migrate(database.pool, 'others', [first, second]);
  expect(await things()).toEqual([]);
});

it('applies nothing when one migration fails', async () => {
  const broken = { name: 'broken', sql: 'select 1 / 0' };
  await expect(migrate(database.pool, 'things', [first, broken])).rejects.toThrow(
    'division by zero',
  );
  const { rows } = await database.pool.query("select to_regnamespace('things') as schema");
  expect(rows).toEqual([{ schema: null }]);
});

it('refuses a history that is not the one that was applied', async () => {
  await migrate(database.pool, 'things', [first, second]);
  const edited = { ...second, sql: 'insert into thing values (3)' };
  const renamed = { ...second, name: 'other' };
  await expect(migrate(database.pool, 'things', [first, edited])).rejects.toThrow('other SQL');
  await expect(migrate(database.pool, 'things', [first, renamed])).rejects.toThrow('migration 1');
  await expect(migrate(database.pool, 'things', [first])).rejects.toThrow('newer version');
  expect(await things()).toEqual([{ id: 2 }]);
});
