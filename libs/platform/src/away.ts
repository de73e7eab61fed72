import { isNativeError } from 'node:util/types';
import { postgresFailure } from './postgres/failure.js';
import { describeError } from './secret.js';

/** Of gRPC. */
const UNAVAILABLE = 14;
/** The event store's client, without a code, when it finds no server. */
export const NO_SERVER = /^Failed to discover/;

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
  if (postgresFailure(error) === 'connection' || NO_SERVER.test(error.message)) return true;
  return ('code' in error && error.code === UNAVAILABLE) || isAway(error.cause);
}

/** An address that resolves to several gives an error with a code and without a message. */
const wordsFor = (error: Error & { readonly code?: unknown }): string =>
  describeError(error) || String(error.code);
