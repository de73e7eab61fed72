import pg from 'pg';

/** Refused, unknown, unreachable, broken off. */
const NETWORK =
  /^E(?:CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH|PIPE)$/;
/** Of SQLSTATE: connections, logins, no such database, a server that stops or starts. */
const NO_ENTRY = /^(?:08|28|3D|57P)/;
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
  if ('metadata' in error && NO_ANSWER.includes(code)) return `EVENTSTORE_URL: ${message}`;
  if (typeof code !== 'string') return whoIsAway(error.cause);
  const isPostgres = error instanceof pg.DatabaseError ? NO_ENTRY.test(code) : NETWORK.test(code);
  return isPostgres ? `POSTGRES_URL: ${message || code}` : whoIsAway(error.cause);
}
