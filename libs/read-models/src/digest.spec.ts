import type pg from 'pg';
import {
  allRows,
  recordEverything,
  testReadModels,
  type TestReadModels,
} from '../../../test/fixtures/read-models.js';
import { differingTables, digest, digestIn, firstDifference, type Digest } from './digest.js';
import { createProjection } from './projection/projection.js';
import { migrateReadModels, READ_TABLES, schemaName } from './schema.js';

let models: TestReadModels;
let pool: pg.Pool;
let before: Digest;
beforeAll(async () => {
  models = await testReadModels();
  ({ pool } = models);
  recordEverything(models.recorder);
  await models.project();
  before = await digest(pool);
});
afterAll(() => models.drop());

it.each(READ_TABLES)('counts the rows of %s', async (table) => {
  const rows = (await allRows(pool))[table];
  expect(rows.length).toBeGreaterThan(0);
  expect(before[table].rows).toBe(rows.length);
});

/** One byte of the value, or little more, is another. */
const CHANGES: Readonly<Record<string, string>> = {
  text: "overlay(C placing 'X' from length(C))",
  bytea: 'set_byte(C, 0, get_byte(C, 0) # 1)',
  uuid: "overlay(C::text placing translate(left(C::text, 1), '0123456789abcdef', '123456789abcdef0') from 1)::uuid",
  bigint: 'C + (1::bigint << 40)', // no neighbour's key
  integer: 'C + 1',
  numeric: 'C + 1',
  date: 'C + 1',
  'timestamp with time zone': "C + interval '1 microsecond'",
};

it.each(READ_TABLES)('notices one changed byte in any column of %s', async (table) => {
  const columns = await columnsOf(table);
  expect(columns.length).toBeGreaterThan(3);
  for (const { column, type } of columns) {
    const changed = await within(async (client) => {
      const change = CHANGES[type]!.replaceAll('C', `"${column}"`);
      const { rowCount } = await client.query(
        `update read.${table} set "${column}" = ${change}
         where ctid = (select ctid from read.${table} where "${column}" is not null limit 1)`,
      );
      expect({ column, rowCount }).toEqual({ column, rowCount: 1 });
      return digestIn(client, 'read');
    });
    expect({ column, differing: differingTables(before, changed) }).toEqual({
      column,
      differing: [table],
    });
  }
});

it.each(READ_TABLES)('notices a row of %s that is gone', async (table) => {
  const changed = await within(async (client) => {
    await client.query(
      `delete from read.${table} where ctid = (select ctid from read.${table} limit 1)`,
    );
    return digestIn(client, 'read');
  });
  expect(differingTables(before, changed)).toEqual([table]);
});

it('does not depend on the order of the rows', async () => {
  const again = await within(async (client) => {
    for (const table of READ_TABLES) {
      await client.query(
        `create temp table moved on commit drop as select * from read.${table} order by random();
         delete from read.${table};
         insert into read.${table} select * from moved order by random();
         drop table moved`,
      );
    }
    return digestIn(client, 'read');
  });
  expect(again).toEqual(before);
});

it('I10: is the same for tables that were rebuilt, in batches cut otherwise', async () => {
  await migrateReadModels(pool, 'read_next');
  const rebuild = createProjection(pool, { schema: 'read_next', cache_weight: 3 });
  await rebuild.loadCheckpoint();
  const { recorded } = models.recorder;
  for (let at = 0; at < recorded.length; at += 7) await rebuild.apply(recorded.slice(at, at + 7));
  expect(await digest(pool, 'read_next')).toEqual(before);
  expect(await allRows(pool, 'read_next')).toEqual(await allRows(pool));

  await pool.query("update read_next.accounts set available = 1 where account_id = 'alice'");
  expect(differingTables(before, await digest(pool, 'read_next'))).toEqual(['accounts']);
  expect(await firstDifference(pool, 'accounts', 'read', 'read_next')).toMatchObject({
    left: { account_id: 'alice' },
    right: { account_id: 'alice', available: 1 },
  });
  await pool.query('delete from read_next.grants');
  expect(await firstDifference(pool, 'grants', 'read', 'read_next')).toMatchObject({
    left: { account_id: 'alice' },
    right: null,
  });
  expect(await firstDifference(pool, 'entries', 'read', 'read_next')).toBeUndefined();
});

it.each(['Read', 'read; drop schema read', '"read"', '', 'x'.repeat(50)])(
  'takes %j for no schema name',
  (name) => expect(() => schemaName(name)).toThrow('not a schema name'),
);

async function columnsOf(table: string): Promise<{ column: string; type: string }[]> {
  const { rows } = await pool.query<{ column: string; type: string }>(
    `select column_name as column, data_type as type from information_schema.columns
     where table_schema = 'read' and table_name = $1 order by ordinal_position`,
    [table],
  );
  return rows;
}

/** Runs in a transaction that is rolled back. */
async function within<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    return await work(client);
  } finally {
    await client.query('rollback');
    client.release();
  }
}
