import pg from 'pg';
import { whoIsAway } from './away.js';

const sql = (code: string, message: string) =>
  Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code });
const named = (name: string, message: string) => Object.assign(new Error(message), { name });
const grpc = (code: number, message: string) =>
  Object.assign(new Error(message), { code, metadata: {} });
const refused = Object.assign(new Error('connect ECONNREFUSED ::1:5'), { code: 'ECONNREFUSED' });

it.each<[unknown, string]>([
  [named('KafkaJSConnectionError', 'no broker'), 'KAFKA_BROKERS: no broker'],
  [grpc(14, '14 UNAVAILABLE: nobody'), 'EVENTSTORE_URL: 14 UNAVAILABLE: nobody'],
  [
    new Error('Failed to discover after 10 attempts.'),
    'EVENTSTORE_URL: Failed to discover after 10 attempts.',
  ],
  [sql('3D000', 'database "x" does not exist'), 'POSTGRES_URL: database "x" does not exist'],
  [sql('28P01', 'password authentication failed'), 'POSTGRES_URL: password authentication failed'],
  [sql('53100', 'No space left on device'), 'POSTGRES_URL: No space left on device'],
  [refused, 'POSTGRES_URL: connect ECONNREFUSED ::1:5'],
  [Object.assign(new Error(''), { code: 'ECONNREFUSED' }), 'POSTGRES_URL: ECONNREFUSED'],
  [
    new Error('timeout exceeded when trying to connect'),
    'POSTGRES_URL: timeout exceeded when trying to connect',
  ],
  [new Error('could not read', { cause: refused }), 'POSTGRES_URL: connect ECONNREFUSED ::1:5'],
])('a server that cannot be used is named: %s', (error, told) => {
  expect(whoIsAway(error)).toBe(told);
});

it.each<[unknown]>([
  [new TypeError('x is not a function')],
  [sql('42703', 'column "x" does not exist')],
  [grpc(13, '13 INTERNAL: no message')],
  [Object.assign(new Error('no such file'), { code: 'ENOENT' })],
  ['no error'],
])('a fault of the program is none: %s', (error) => {
  expect(whoIsAway(error)).toBeUndefined();
});
