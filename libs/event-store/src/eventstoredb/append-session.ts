import { backoffMs } from '#libs/platform';
import { randomInt } from 'node:crypto';
import type * as grpc from '@grpc/grpc-js';
import { InvariantBroken } from '#libs/contracts';
import type { AppendResult, StreamAppend } from '../port.js';
import { decodeAppendAnswer, encodeAppend } from './append-codec.js';
import { Silence, type Connection } from './connection.js';

export interface AppendCounts {
  /** Calls that were opened. */
  calls: number;
  /** Calls that ended, and everything in flight on them with `unknown`. */
  drops: number;
  sent: number;
  /** Answers to nothing that is in flight: late, second or foreign ones. */
  ignored: number;
}

interface AppendSessionOptions {
  /** After this long without an answer an append is `unknown`. */
  readonly append_timeout_ms: number;
  /** Told of each call that ended, and how many did in a row. */
  readonly on_failure: (error: unknown, attempt: number) => void;
}

interface OpenCall {
  readonly client: grpc.Client;
  readonly stream: grpc.ClientDuplexStream<Buffer, Buffer>;
}

interface Pending {
  readonly append: StreamAppend;
  readonly settle: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
  /** Since when it waits to be sent, then since when it waits for its answer. */
  since: number;
  bytes: number;
}

const PATH = '/event_store.client.streams.Streams/BatchAppend';
const MAX_IN_FLIGHT = { appends: 1_024, bytes: 16_000_000 };
const REOPEN = { min_ms: 50, max_ms: 2_000 };

const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Appends over one long-lived BatchAppend call. Every append gets one result, in time: what is in flight
 * is `unknown` after the timeout, and all of it when the call ends. Only the caller's identical repeat
 * tells then; nothing is repeated here.
 *
 * A correlation id is never used twice: the server keeps each for 2 s, and an answer to an earlier one
 * must meet nothing.
 */
export class AppendSession {
  readonly counts: AppendCounts = { calls: 0, drops: 0, sent: 0, ignored: 0 };

  readonly #connection: Connection;
  readonly #options: AppendSessionOptions;
  /** Not sent yet, in order. */
  readonly #waiting = new Set<Pending>();
  /** Sent, in order, by the low half of the correlation id. */
  #in_flight = new Map<number, Pending>();
  #in_flight_bytes = 0;
  /** Streams with an append in flight. */
  readonly #busy = new Set<string>();
  #call: OpenCall | undefined;
  #high = 0;
  #low = 0;
  #heard_at = 0;
  #failures = 0;
  #opening = false;
  #closed = false;
  #ticking: NodeJS.Timeout | undefined;

  constructor(connection: Connection, options: AppendSessionOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Rejects with InvariantBroken when the stream was not what the answer says it is. */
  append(append: StreamAppend): Promise<AppendResult> {
    return new Promise((settle, reject) => {
      this.#waiting.add({ append, settle, reject, since: performance.now(), bytes: 0 });
      const period_ms = Math.min(100, this.#options.append_timeout_ms / 4);
      this.#ticking ??= setInterval(() => this.#expire(), period_ms);
      if (this.#call === undefined) void this.#open();
      else this.#send();
    });
  }

  /** Resolves when all that is under way is answered; no append may follow. */
  async close(): Promise<void> {
    while (this.#waiting.size + this.#in_flight.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#closed = true;
    clearInterval(this.#ticking);
    this.#call?.stream.cancel();
  }

  /** In order, but no more than the server should hold, and one append per stream. */
  #send(): void {
    for (const pending of this.#waiting) {
      const isFull =
        this.#in_flight.size >= MAX_IN_FLIGHT.appends ||
        this.#in_flight_bytes >= MAX_IN_FLIGHT.bytes;
      // A repeat that overtakes its original on the server is answered "Timeout".
      if (this.#call === undefined || isFull || this.#busy.has(pending.append.stream)) return;
      this.#waiting.delete(pending);
      this.#low += 1;
      const frame = encodeAppend({ high: this.#high, low: this.#low }, pending.append);
      pending.since = performance.now();
      pending.bytes = frame.length;
      this.#in_flight.set(this.#low, pending);
      this.#in_flight_bytes += frame.length;
      this.#busy.add(pending.append.stream);
      this.counts.sent += 1;
      this.#call.stream.write(frame);
    }
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#closed) return;
    this.#opening = true;
    try {
      const client = await this.#connection.open();
      const [metadata, options] = this.#connection.callArguments();
      const stream = client.makeBidiStreamRequest(PATH, asIs, asIs, metadata, options);
      const call: OpenCall = { client, stream };
      stream.on('data', (bytes: Buffer) => this.#receive(call, bytes));
      stream.on('error', (error: Error) => this.#drop(call, error));
      stream.on('end', () => this.#drop(call, new Error('the server ended the call')));
      this.#call = call;
      this.#high = randomInt(1, 2 ** 31);
      this.#heard_at = performance.now();
      this.counts.calls += 1;
      this.#opening = false;
      this.#send();
    } catch (error) {
      this.#failures += 1;
      this.#options.on_failure(error, this.#failures);
      this.#reopen(Promise.resolve());
    }
  }

  /** Everything in flight becomes unknown. */
  #drop(call: OpenCall, error: Error): void {
    if (call !== this.#call) return;
    this.#call = undefined;
    call.stream.cancel();
    const lost = this.#in_flight;
    this.#in_flight = new Map();
    this.#in_flight_bytes = 0;
    this.#busy.clear();
    for (const pending of lost.values()) pending.settle({ kind: 'unknown', why: error.message });
    if (this.#closed) return;
    this.counts.drops += 1;
    this.#failures += 1;
    this.#options.on_failure(error, this.#failures);
    this.#opening = true;
    this.#reopen(this.#connection.failed(call.client, error));
  }

  /** Opens the next call when the connection knows of it, after a pause; at once the first time. */
  #reopen(told: Promise<void>): void {
    const max_ms = Math.min(REOPEN.max_ms, this.#options.append_timeout_ms / 2);
    const again = this.#failures - 1;
    const pause_ms = again < 1 ? 0 : backoffMs({ ...REOPEN, max_ms }, again);
    void told.then(() =>
      setTimeout(() => {
        this.#opening = false;
        if (this.#waiting.size > 0) void this.#open();
      }, pause_ms),
    );
  }

  #receive(call: OpenCall, bytes: Buffer): void {
    if (call !== this.#call) return;
    this.#heard_at = performance.now();
    this.#failures = 0;
    let answer;
    try {
      answer = decodeAppendAnswer(bytes);
    } catch (error) {
      return this.#drop(call, new Error(`no answer, but bytes: ${String(error)}`));
    }
    const { to, result } = answer;
    const pending = to.high === this.#high ? this.#take(to.low) : undefined;
    if (pending === undefined) {
      this.counts.ignored += 1;
      return;
    }
    const fault = faultIn(result, pending.append);
    if (fault === undefined) pending.settle(result);
    else pending.reject(fault);
    this.#send();
  }

  #take(low: number): Pending | undefined {
    const pending = this.#in_flight.get(low);
    if (pending === undefined) return undefined;
    this.#in_flight.delete(low);
    this.#in_flight_bytes -= pending.bytes;
    this.#busy.delete(pending.append.stream);
    return pending;
  }

  /** All have the same timeout, so the oldest are due first. */
  #expire(): void {
    const { append_timeout_ms } = this.#options;
    const due_since = performance.now() - append_timeout_ms;
    const why = `no answer for ${append_timeout_ms} ms`;
    for (const [low, { since, settle }] of this.#in_flight) {
      if (since > due_since) break;
      // Not a word to anybody: the connection is dead, or the server is frozen.
      const call = this.#call;
      if (call !== undefined && this.#heard_at <= due_since) {
        this.#drop(call, new Silence(append_timeout_ms));
        break;
      }
      this.#take(low);
      settle({ kind: 'unknown', why });
    }
    // A server that answers others has not forgotten those that wait for their turn.
    for (const pending of this.#waiting) {
      if (Math.max(pending.since, this.#heard_at) > due_since) break;
      this.#waiting.delete(pending);
      pending.settle({ kind: 'unknown', why: `not sent: ${why}` });
    }
    if (this.#waiting.size + this.#in_flight.size > 0) return this.#send();
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}

/** The answer to an append that found another stream than the caller folded. */
function faultIn(result: AppendResult, append: StreamAppend): InvariantBroken | undefined {
  if (result.kind !== 'appended') return undefined;
  const { stream, expected_revision, events } = append;
  const revision = expected_revision + events.length;
  if (result.revision === revision) return undefined;
  // The server takes "no stream" for a stream that an administrator has deleted, and goes on counting.
  return new InvariantBroken(
    `${stream}: appended at ${result.revision} instead of ${revision}: the stream was deleted before`,
  );
}
