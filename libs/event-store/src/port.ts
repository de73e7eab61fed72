import type { LinkedEvent } from '#libs/contracts';

/** An event as it stands in the store. */
export interface RecordedEvent extends LinkedEvent {
  readonly stream: string;
  /** Counts up by one from 0 within its stream. */
  readonly revision: number;
  /** Place in the global order; opaque text that only the store that made it understands. */
  readonly position: string;
}

export interface StreamAppend {
  readonly stream: string;
  /** The exact revision that was folded; -1 for a stream that does not exist. Never "any". */
  readonly expected_revision: number;
  readonly events: readonly LinkedEvent[];
}

export type AppendResult =
  /** All its events are durable, the last one at `revision`; also when they were there already. */
  | { readonly kind: 'appended'; readonly revision: number }
  /**
   * None of its events were written: the stream is at `actual_revision`. Reads show what is in the way
   * soon, but perhaps not yet: EventStoreDB checks against events that it has not indexed.
   */
  | { readonly kind: 'conflict'; readonly actual_revision: number }
  /** Written or not, now or later: only repeating the identical call tells. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** Never written, and repeating will not help. */
  | { readonly kind: 'refused'; readonly why: string };

/** The only way to write events. Imported by ledger-writer alone. */
export interface EventAppender {
  /** Most events and most bytes of data in one stream's append. */
  readonly limits: { readonly max_events: number; readonly max_bytes: number };
  /**
   * Appends to several streams, at most one append per stream; all or nothing per stream, independent
   * between streams. Answers in the order of the call; never rejects for what a result can say. An
   * append whose events are there already, id by id, from expected_revision + 1 answers `appended`.
   * A second append to a stream within one call is refused, and so is an event without a type, with an
   * id that is no UUID in lower case, or with data or metadata that are not a JSON object's text.
   */
  appendMany(appends: readonly StreamAppend[]): Promise<AppendResult[]>;
}

export interface Checkpoint {
  readonly position: string;
  readonly event_id: string;
}

export interface EventReader {
  /**
   * Pages of one stream in order, from revision `from` (default 0); none when there is no stream.
   * Rejects when `signal` aborts, though the store may never answer: a part of a stream must not pass
   * for the whole.
   */
  readStream(
    stream: string,
    options?: { readonly from?: number; readonly signal?: AbortSignal },
  ): AsyncIterable<readonly RecordedEvent[]>;
  /** The last event of a stream. Rejects when `signal` aborts, though the store may never answer. */
  readLast(
    stream: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<RecordedEvent | undefined>;
  /**
   * Events of all streams whose name begins with `prefix`, in the global order, after a position
   * (null: from the beginning), in batches of 1 to `batch_size`. Never ends by itself: it waits for new
   * events, survives a broken connection, and ends when `signal` aborts. Never skips an event, whatever
   * is appended meanwhile. Rejects with InvariantBroken when `after` is no position of this store, or
   * lies beyond the end of the log and, where that may be a new leader's, does so for some seconds.
   */
  subscribe(options: {
    readonly prefix: string;
    readonly after: string | null;
    readonly batch_size: number;
    readonly signal: AbortSignal;
  }): AsyncIterable<readonly RecordedEvent[]>;
  /**
   * The same up to and including the position `until`, and at most to the end of the log at the time of
   * the call; for audits and rebuilds.
   */
  readAll(options: {
    readonly prefix: string;
    readonly after: string | null;
    readonly until?: string;
    readonly batch_size: number;
  }): AsyncIterable<readonly RecordedEvent[]>;
  /**
   * Whether this very event stands at this position: false after the store lost its tail, once a log that
   * ends before it has been waited for.
   */
  holds(checkpoint: Checkpoint): Promise<boolean>;
}

export interface EventStore extends EventAppender, EventReader {
  /** Ends the subscriptions of this store; appends under way are still answered. No call may follow. */
  close(): Promise<void>;
}
