import { notLeader, type GrpcError } from './errors.js';
import type { NotReady, Written } from './rules.js';
import type { Store } from './store.js';

/** What may befall an append on a real server or on the way to and from it. */
export type AppendFault =
  /** Not written, never answered. */
  | { readonly kind: 'no_answer' }
  /** Written, never answered. */
  | { readonly kind: 'written_unanswered' }
  /** Written, answered after so many ms. */
  | { readonly kind: 'late_answer'; readonly ms: number }
  /** Answered at once and again after so many ms. */
  | { readonly kind: 'second_answer'; readonly ms: number }
  /** The server gave up waiting for its own write, which may have been done. */
  | { readonly kind: 'timeout'; readonly written: boolean }
  /** The connection breaks, before or after the write. */
  | { readonly kind: 'dropped_connection'; readonly written: boolean }
  /** Another node leads; the call ends with its address. */
  | {
      readonly kind: 'not_leader';
      readonly leader: { readonly host: string; readonly port: number };
    };

export interface Faults {
  /** The next `times` appends meet this fault (default 1). */
  inject(fault: AppendFault, times?: number): void;
  /** From now on an append meets this fault with this probability. */
  chance(fault: AppendFault, probability: number): void;
  /**
   * As servers up to 23.10 do, drops a live subscription when more events than this are committed at
   * once. Undefined: never.
   */
  burst_limit: number | undefined;
  /** How long a counted read takes for each search window without a match. Undefined: no time. */
  search_ms: number | undefined;
  /** No more faults. */
  clear(): void;
}

/** The faults, and the one that the append at hand meets. */
export type FaultSource = Faults & { next(): AppendFault | undefined };

export function newFaults(): FaultSource {
  let injected: { fault: AppendFault; left: number }[] = [];
  let chances: { fault: AppendFault; probability: number }[] = [];
  return {
    burst_limit: undefined,
    search_ms: undefined,
    inject: (fault, times = 1) => void injected.push({ fault, left: times }),
    chance: (fault, probability) => void chances.push({ fault, probability }),
    clear() {
      injected = [];
      chances = [];
      this.burst_limit = undefined;
      this.search_ms = undefined;
    },
    next() {
      const first = injected[0];
      if (first === undefined) {
        return chances.find(({ probability }) => Math.random() < probability)?.fault;
      }
      first.left -= 1;
      if (first.left <= 0) injected.shift();
      return first.fault;
    },
  };
}

/** One append: how it is done and how its outcome reaches the client. */
export interface AppendInHand {
  run(): Written | NotReady;
  answer(written: Written): void;
  /** Says that the server gave up waiting. */
  answerTimeout(): void;
  /** Ends the call. */
  fail(error: GrpcError): void;
  /** Breaks the connection. */
  drop(): void;
}

/** The server's own write timeout, in ms: no request waits longer, whatever deadline it names. */
export const WRITE_TIMEOUT_MS = 2_000;

/** Does an append, under a fault or none. */
export function carryOut(store: Store, fault: AppendFault | undefined, append: AppendInHand): void {
  const write = (then: (written: Written) => void) =>
    store.submit(() => {
      const written = append.run();
      return () => {
        if (written.kind !== 'not_ready') return then(written);
        setTimeout(() => append.answerTimeout(), WRITE_TIMEOUT_MS).unref();
      };
    });
  const later = (ms: number, written: Written) =>
    void setTimeout(() => append.answer(written), ms).unref();

  switch (fault?.kind) {
    case undefined:
      return write((written) => append.answer(written));
    case 'no_answer':
      return;
    case 'written_unanswered':
      return write(() => {});
    case 'late_answer':
      return write((written) => later(fault.ms, written));
    case 'second_answer':
      return write((written) => {
        append.answer(written);
        later(fault.ms, written);
      });
    case 'timeout':
      return fault.written ? write(() => append.answerTimeout()) : append.answerTimeout();
    case 'dropped_connection':
      return fault.written ? write(() => append.drop()) : append.drop();
    case 'not_leader':
      return append.fail(notLeader(fault.leader));
  }
}
