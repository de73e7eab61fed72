import { types } from 'node:util';

/**
 * What a failed statement means for its caller.
 * - `connection`: the connection was lost or never made. Whether a statement in flight was committed
 *   is unknown: repeat it only if a repeat is harmless.
 * - `rolled_back`: the server says that nothing was written, and the reason passes (serialization,
 *   deadlock, lock or statement timeout, no room). Repeat it.
 * - `permanent`: repeating will not help.
 */
type PostgresFailure = 'connection' | 'rolled_back' | 'permanent';

const LOST_CODES = new Set([
  '40003', // statement completion unknown
  '57P01', // admin shutdown
  '57P02', // crash shutdown
  '57P03', // cannot connect now: starting up or shutting down
  '57P05', // idle session timeout
  '25P03', // idle in transaction session timeout
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
]);

const ROLLED_BACK_CODES = new Set([
  '25006', // read-only transaction: a standby that has not been promoted yet
  '25P04', // transaction timeout
  '55006', // object in use
  '55P03', // lock not available
  '57014', // canceled, also by statement_timeout
  '58030', // I/O error
]);

// Connection exception; transaction rollback; insufficient resources, among them disk full.
const LOST_CLASSES = ['08'];
const ROLLED_BACK_CLASSES = ['40', '53'];

// `pg` has no codes for these.
const LOST_MESSAGES = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed and is not queryable',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
];

export function postgresFailure(error: unknown): PostgresFailure {
  if (!types.isNativeError(error)) return 'permanent';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (LOST_CODES.has(code) || LOST_CLASSES.includes(code.slice(0, 2))) return 'connection';
  if (ROLLED_BACK_CODES.has(code)) return 'rolled_back';
  if (ROLLED_BACK_CLASSES.includes(code.slice(0, 2))) return 'rolled_back';
  if (LOST_MESSAGES.some((message) => error.message.includes(message))) return 'connection';
  return 'permanent';
}

export const isRetriable = (error: unknown): boolean => postgresFailure(error) !== 'permanent';

const DATA_EXCEPTION = '22';
/** Node's own, of a number that has no place in a binary array. */
const OUT_OF_RANGE = 'ERR_OUT_OF_RANGE';

/** Whether a value was one that its column cannot hold, such as the 31st of February. */
export function isDataError(error: unknown): error is Error {
  if (!types.isNativeError(error) || !('code' in error)) return false;
  const { code } = error;
  return typeof code === 'string' && (code.startsWith(DATA_EXCEPTION) || code === OUT_OF_RANGE);
}
