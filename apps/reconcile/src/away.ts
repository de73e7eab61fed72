import { NO_SERVER, postgresFailure } from '#libs/platform';
import pg from 'pg';

/** Of SQLSTATE: logins, no such database, no room (connections, disk, memory). */
const NO_ENTRY = /^(?:28|3D|53)/;
/** Of gRPC: not allowed, unavailable, not authenticated. */
const NO_ANSWER: readonly unknown[] = [7, 14, 16];

/**
 * Which of the ledger's servers cannot be used, and why: nothing that a trace of this program explains.
 * Undefined for every other error.
 */
export function whoIsAway(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, message } = error;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (name.startsWith('KafkaJS')) return `KAFKA_BROKERS: ${message}`;
  if (NO_SERVER.test(message) || ('metadata' in error && NO_ANSWER.includes(code)))
    return `EVENTSTORE_URL: ${message}`;
  const is_refused = error instanceof pg.DatabaseError && NO_ENTRY.test(error.code ?? '');
  if (!is_refused && postgresFailure(error) !== 'connection') return whoIsAway(error.cause);
  return `POSTGRES_URL: ${message || String(code)}`;
}
