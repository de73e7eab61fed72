import type { Output } from '../output.js';

/** Everything that `verify` can find wrong; docs and tests name each. */
export const CHECKS = [
  // bus ↔ streams
  'request_lost',
  'request_skipped',
  'request_decided_twice',
  'message_decided_twice',
  'decided_and_dead_lettered',
  'conflict_not_dead_lettered',
  'fingerprint_differs',
  'occurred_at_differs',
  'terms_differ',
  'event_without_request',
  'dead_letter_not_filed',
  // streams
  'stream_broken',
  'fold_broken',
  'credits_not_conserved',
  'decision_differs',
  // streams ↔ read models
  'checkpoint_differs',
  'account_differs',
  'account_missing',
  'account_without_stream',
  'entry_differs',
  'entry_missing',
  'snapshot_differs',
  'usage_total_differs',
  'grant_differs',
  'rejection_total_differs',
  'rejected_grant_differs',
  // read models ↔ invoices
  'invoice_differs',
] as const;
export type Check = (typeof CHECKS)[number];

/** Two sides that do not agree, and where each of them stands. */
export interface Mismatch {
  readonly check: Check;
  /** What is wrong, for a person. */
  readonly detail: string;
  /** Coordinates: `topic/partition/offset`, `stream@revision`, `table(key)`. */
  readonly left: string;
  readonly right: string | null;
}

export interface Findings {
  add(mismatch: Mismatch): void;
  readonly count: number;
  readonly first: Mismatch | undefined;
}

/** A broken ledger may have millions: the first ones are reported, all are counted. */
const MAX_TOLD = 20;

export function newFindings(out: Output): Findings {
  let count = 0;
  let first: Mismatch | undefined;
  return {
    add(mismatch) {
      count += 1;
      first ??= mismatch;
      if (count > MAX_TOLD) return;
      const { check, detail, left, right } = mismatch;
      out.report('mismatch', { ...mismatch }, () =>
        [
          `MISMATCH ${check}: ${detail}`,
          `  ${left}`,
          ...(right === null ? [] : [`  ${right}`]),
        ].join('\n'),
      );
    },
    get count() {
      return count;
    },
    get first() {
      return first;
    },
  };
}
