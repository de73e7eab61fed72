import type { EventStore } from '../port.js';
import { appendScreened } from '../screening.js';
import { secureDefaultAcl, type Access } from './access.js';
import { AppendSession, type AppendCounts } from './append-session.js';
import { connect, type Credentials } from './connection.js';
import { newPageReader } from './pages.js';
import type { AllSources } from './log-pages.js';
import { holds, readAll } from './reading-all.js';
import { readLast, readStream } from './reading-streams.js';
import { subscription } from './subscription.js';

export interface EventStoreDbOptions {
  /** esdb:// or esdb+discover://, as the client reads it; see the README. */
  readonly url: string;
  /** Instead of a user and a password in the URL. */
  readonly credentials?: Credentials;
  /** After this long without an answer an append is `unknown`. The server itself gives up after 2 s. */
  readonly append_timeout_ms?: number;
  /** After this long without a message a read is tried again. */
  readonly read_timeout_ms?: number;
  /**
   * A log that ends before what was read from it has lost its tail when it still does after this long:
   * that of a leader that was just elected may be behind for a moment.
   */
  readonly behind_timeout_ms?: number;
  /** Told of each failed call, and how many failed in a row; for logs and metrics. */
  readonly on_failure?: (error: unknown, attempt: number) => void;
}

export interface EventStoreDb extends EventStore {
  /** What the append session has done so far. */
  readonly append_counts: Readonly<AppendCounts>;
  /** Lets only these write and read, and only administrators delete; true when that was new. */
  secureDefaultAcl(access: Access): Promise<boolean>;
}

/**
 * Servers up to 24.2 take 1,048,576 bytes of data per append, newer ones of everything; and up to 23.10
 * they drop every live subscription on an append of more events than these.
 */
const LIMITS = { max_events: 200, max_bytes: 900_000 };

/** How often a read that must end is tried. */
const ATTEMPTS = 5;

/** The event store in EventStoreDB 20.10 to 24, or a KurrentDB that speaks its protocol. */
export function eventStoreDb(options: EventStoreDbOptions): EventStoreDb {
  const { append_timeout_ms = 5_000, read_timeout_ms = 10_000 } = options;
  const { behind_timeout_ms = 10_000, on_failure = () => {} } = options;
  const connection = connect(options.url, options.credentials);
  const session = new AppendSession(connection, { append_timeout_ms, on_failure });
  const pages = newPageReader(connection, read_timeout_ms);
  const closing = new AbortController();
  const sources = { pages, on_failure };
  const all: AllSources = {
    pages,
    persistence: { attempts: ATTEMPTS, on_failure },
    behind_timeout_ms,
  };

  return {
    limits: LIMITS,
    append_counts: session.counts,
    appendMany: (appends) =>
      appendScreened(appends, LIMITS, (accepted) =>
        Promise.all(accepted.map((append) => session.append(append))),
      ),
    readStream: (stream, { from = 0, signal } = {}) => readStream(sources, stream, from, signal),
    readLast: (stream, { signal } = {}) => readLast(sources, stream, signal),
    readAll: (range) => readAll(all, range),
    subscribe({ signal, ...range }) {
      const ending = AbortSignal.any([signal, closing.signal]);
      const persistence = { attempts: Infinity, signal: ending, on_failure };
      return subscription({ pages, persistence, behind_timeout_ms }, range);
    },
    holds: (checkpoint) => holds(all, checkpoint),
    secureDefaultAcl: (access) =>
      secureDefaultAcl(
        connection.client,
        options.credentials,
        (stream) => readLast(sources, stream, undefined),
        access,
      ),
    async close() {
      closing.abort();
      await session.close();
      await connection.close();
    },
  };
}
