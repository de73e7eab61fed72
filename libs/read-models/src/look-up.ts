import type { Pool } from 'pg';
import type { AccountKey, Decision, StreamHead } from '#libs/contracts';
import type { Account } from '#libs/ledger';

export interface AccountToLookUp {
  readonly key: AccountKey;
  readonly tenant_id: string;
  readonly account_id: string;
  /** Revision at which the caller already has the folded account; -1 when it has none. */
  readonly head: number;
}

export interface RequestToLookUp {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly request_id: string;
}

export interface Questions {
  readonly accounts: readonly AccountToLookUp[];
  readonly requests: readonly RequestToLookUp[];
}

export type Snapshot =
  /** The read side has nothing beyond the caller's head; nothing was shipped. */
  | { readonly kind: 'not_newer' }
  /** The account folded up to `read_side`; the caller owns it and may evolve it. */
  | { readonly kind: 'account'; readonly account: Account }
  /** It was folded by another STATE_VERSION: fold the stream from its beginning. */
  | { readonly kind: 'other_version' };

export interface AccountAnswer {
  /** Where the read side stands on the account's stream; GENESIS when it has not seen it. */
  readonly read_side: StreamHead;
  /** Its requests go to the dead letters until somebody unparks it. */
  readonly parked: boolean;
  readonly snapshot: Snapshot;
}

/** One answer per question, at the same index. */
export interface Answers {
  readonly accounts: readonly AccountAnswer[];
  /** The decision that the request already has at or before `read_side`: final, needs no proof. */
  readonly decisions: readonly (Decision | undefined)[];
}

/**
 * What the read side knows of a batch's accounts and request ids, in one SQL statement and so in one
 * consistent view: a request without a decision has none up to its account's `read_side.revision`.
 * Throws InvariantBroken when an index row is of another request than the one asked for.
 */
export type LookUp = (pool: Pool, questions: Questions) => Promise<Answers>;
