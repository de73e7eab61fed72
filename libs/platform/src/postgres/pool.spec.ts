import { setTimeout as sleep } from 'node:timers/promises';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { isRetriable, postgresFailure } from './failure.js';
import { createPool } from './pool.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

async function failureOf(sql: string): Promise<unknown> {
  return database.pool.query(sql).then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

describe('types', () => {
  it('reads int8 and numeric as bigint, timestamptz as ISO text, date as text', async () => {
    const { rows } = await database.pool.query(
      `select 9007199254740993::int8 as credits, sum(x::int8) as total,
         '2026-01-31 23:59:59.9996+02'::timestamptz as at, '2026-01-31Z'::timestamptz as midnight,
         '2026-01-31'::date as day
       from (values (9223372036854775807), (1)) v(x)`,
    );
    expect(rows).toEqual([
      {
        credits: 9007199254740993n,
        total: 9223372036854775808n,
        at: '2026-01-31T21:59:59.999Z',
        midnight: '2026-01-31T00:00:00.000Z',
        day: '2026-01-31',
      },
    ]);
  });

  it('refuses a fraction where amounts are whole', async () => {
    expect(await failureOf('select 0.5::numeric')).toBeInstanceOf(SyntaxError);
  });
});

it('lets the server miss a machine that is gone without a word', async () => {
  const { rows } = await database.pool.query(
    `select name, setting from pg_settings where name like 'tcp\\_%' order by name`,
  );
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    tcp_keepalives_count: '3',
    tcp_keepalives_idle: '10',
    tcp_keepalives_interval: '3',
    tcp_user_timeout: '20000',
  });
});

describe('what a failure means', () => {
  it('a connection that is cut: the outcome is unknown', async () => {
    const error = await failureOf('select pg_terminate_backend(pg_backend_pid())');
    expect(postgresFailure(error)).toBe('connection');
  });

  it('a server that is not there', async () => {
    const pool = createPool('postgres://nobody@127.0.0.1:1/none', {
      application_name: 'test',
      max_connections: 1,
    });
    const error = await pool.query('select 1').catch((reason: unknown) => reason);
    await pool.end();
    expect(postgresFailure(error)).toBe('connection');
  });

  it('a deadline of the client', async () => {
    const pool = createPool(database.url, {
      application_name: 'test',
      max_connections: 1,
      query_timeout_ms: 50,
    });
    const error = await pool.query('select pg_sleep(5)').catch((reason: unknown) => reason);
    await pool.end();
    expect(postgresFailure(error)).toBe('connection');
  });

  it.each(['serialization_failure', 'deadlock_detected', 'disk_full', 'lock_not_available'])(
    '%s: nothing was written, repeat it',
    async (condition) => {
      const error = await failureOf(`do $$ begin raise ${condition}; end $$`);
      expect(postgresFailure(error)).toBe('rolled_back');
    },
  );

  it.each(['select 1 / 0', 'select nothing', 'do $$ begin raise unique_violation; end $$'])(
    'permanent: %s',
    async (sql) => {
      expect(postgresFailure(await failureOf(sql))).toBe('permanent');
    },
  );

  it('a mistake of our own is never retried', () => {
    expect(isRetriable(new TypeError('x is undefined'))).toBe(false);
    expect(isRetriable('text')).toBe(false);
  });
});

it('the pool replaces connections that broke while idle, and tells of them', async () => {
  const broken: Error[] = [];
  const pool = createPool(database.url, {
    application_name: 'victim',
    max_connections: 1,
    on_error: (error) => broken.push(error),
  });
  await pool.query('select 1');
  await database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'",
  );
  while (broken.length === 0) await sleep(5);
  const { rows } = await pool.query('select 1 as one');
  await pool.end();
  expect(rows).toEqual([{ one: 1 }]);
});
