import pg from 'pg';

interface PoolOptions {
  /** Shown in pg_stat_activity. */
  readonly application_name: string;
  readonly max_connections: number;
  /** Called for connections that break while idle; the pool replaces them. */
  readonly on_error?: (error: Error) => void;
  /** The client's own deadline of a statement, so that a dead network cannot hold a caller. */
  readonly query_timeout_ms?: number;
}

const INT8 = 20;
const NUMERIC = 1700;
const DATE = 1082;
const TIMESTAMPTZ = 1184;

const parsers = new Map<number, (text: string) => unknown>([
  [INT8, BigInt],
  // Amounts are whole; a sum of int8 is numeric. A fraction is a mistake and throws.
  [NUMERIC, BigInt],
  [DATE, (text) => text],
  [TIMESTAMPTZ, isoOf],
]);

const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : parsers.get(oid)) ?? pg.types.getTypeParser(oid, format),
};

/** `2026-01-31 23:59:59.9991+00` as `2026-01-31T23:59:59.999Z`: milliseconds, finer ones cut. */
function isoOf(text: string): string {
  const found = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text);
  if (found === null) throw new Error(`not a UTC time of Postgres: ${text}`);
  return `${found[1]}T${found[2]}.${(found[3] ?? '').slice(0, 3).padEnd(3, '0')}Z`;
}

/**
 * The server's side of a connection: a machine that is gone without a word is noticed within 20 s, not
 * after the two hours of most systems. Until then its locks are held.
 */
const MISSED_BY_SERVER = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 3,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 20_000,
};

const SETTINGS = Object.entries({
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  jit: 'off',
  ...MISSED_BY_SERVER,
});

/** How every connection is made: int8 and numeric are bigint, timestamptz is ISO text, date is text. */
export function clientConfig(url: string, options: Omit<PoolOptions, 'max_connections'>) {
  return {
    connectionString: url,
    application_name: options.application_name,
    connectionTimeoutMillis: 10_000,
    query_timeout: options.query_timeout_ms ?? 60_000,
    keepAlive: true,
    options: SETTINGS.map(([name, value]) => `-c ${name}=${value}`).join(' '),
    types,
  } satisfies pg.ClientConfig;
}

/** A pool that survives broken connections: they fail the statement in flight and are replaced. */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(url, options),
    max: options.max_connections,
    idleTimeoutMillis: 30_000,
  });
  // Without a listener a connection that breaks would end the process: the pool listens to idle ones,
  // but nobody to one that is held and has no statement in flight.
  pool.on('error', (error) => options.on_error?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
