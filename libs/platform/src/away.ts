import { isNativeError } from 'node:util/types';
import { describeError } from './secret.js';

/** Refused, unknown, unreachable, broken off. */
const NETWORK =
  /^E(?:CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH|PIPE)$/;
/** Of SQLSTATE: broken connections, a server that stops or starts. */
const POSTGRES_AWAY = /^(?:08|57P0)/;
/** Of gRPC. */
const UNAVAILABLE = 14;
/**
 * Of errors without a code: pg's of a connection that ended or does not answer, the event store's client's
 * that finds no server.
 */
const MESSAGES =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Query read timeout|Failed to discover)/;

/**
 * What to log of an error that somebody retries: `why` in words when a server is away, since a stack says
 * no more and comes with every attempt; the whole error otherwise.
 */
export function failureFields(error: unknown): { why: string } | { err: unknown } {
  return isAway(error) ? { why: wordsFor(error) } : { err: error };
}

/** Whether it says that a server cannot be reached now. */
export function isAway(error: unknown): error is Error {
  if (!isNativeError(error)) return false;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return NETWORK.test(code) || POSTGRES_AWAY.test(code);
  return code === UNAVAILABLE || MESSAGES.test(error.message) || isAway(error.cause);
}

/** An address that resolves to several gives an error with a code and without a message. */
const wordsFor = (error: Error & { readonly code?: unknown }): string =>
  describeError(error) || String(error.code);
