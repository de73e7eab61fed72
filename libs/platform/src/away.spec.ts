import { Pool } from 'pg';
import { failureFields } from './away.js';

it('says in a few words that a server is away', async () => {
  const pool = new Pool({ connectionString: 'postgres://u:p@localhost:1/x' });
  const error: unknown = await pool.query('select 1').catch((fault: unknown) => fault);
  expect(failureFields(error)).toEqual({ why: expect.stringContaining('ECONNREFUSED') });
  await pool.end();
});

it.each<[string, Error]>([
  ['an unavailable gRPC server', Object.assign(new Error('14 UNAVAILABLE: x'), { code: 14 })],
  ['a Postgres that stops', Object.assign(new Error('terminating connection'), { code: '57P01' })],
  ['a connection that ended', new Error('Connection terminated unexpectedly')],
  ['a connection without an answer', new Error('Query read timeout')],
  ['no member of a cluster', new Error('Failed to discover after 10 attempts.')],
  ['a cause', new Error('it failed', { cause: Object.assign(new Error('x'), { code: 'EPIPE' }) })],
])('so of %s', (_, error) => {
  expect(failureFields(error)).toEqual({ why: error.message });
});

it.each([
  new Error('a bug'),
  Object.assign(new Error('no such table'), { code: '42P01' }),
  Object.assign(new Error('7 PERMISSION_DENIED'), { code: 7 }),
  'no error at all',
])('leaves every other error whole', (error) => {
  expect(failureFields(error)).toEqual({ err: error });
});
