import {
  accountKey,
  decisionOf,
  GENESIS,
  type AccountEvent,
  type AccountKey,
  type AccountRequest,
  type Decision,
  type InvariantBroken,
  type StreamHead,
} from '#libs/contracts';
import { evolve, initialAccount, type Account } from '#libs/ledger';
import type { IncomingRequest } from './incoming-requests.js';

/**
 * An account as this writer knows it: its state at `head`, and the answers decided in (floor, head].
 * Together with the read side's index up to a revision s with floor ≤ s ≤ head that is every answer
 * there is. May be dropped at any time.
 */
export interface KnownAccount {
  readonly key: AccountKey;
  head: StreamHead;
  account: Account;
  floor: number;
  /** In order of revision. */
  readonly answers: Map<string, Decision>;
}

/** A known account, taken out of the cache to decide its part of a batch. */
export interface OpenAccount {
  readonly known: KnownAccount;
  /** Not yet decided, in order. */
  readonly pending: readonly IncomingRequest<AccountRequest>[];
  readonly parked: boolean;
  /** Why the account's stream cannot be folded: it will be parked, nothing is decided. */
  readonly broken?: InvariantBroken;
}

export const unknownAccount = (request: AccountRequest): KnownAccount => ({
  key: accountKey(request.tenant_id, request.account_id),
  head: GENESIS,
  account: initialAccount(request.tenant_id, request.account_id),
  floor: GENESIS.revision,
  answers: new Map(),
});

/** Forgets the answers that the read side's index holds by now, up to its revision. */
export function raiseFloor(known: KnownAccount, read_revision: number): void {
  for (const [request_id, decision] of known.answers) {
    if (decision.revision! > read_revision) break;
    known.answers.delete(request_id);
  }
  known.floor = Math.max(known.floor, read_revision);
}

/** Folds an event that is on the stream already and keeps its answer. */
export function followEvent(known: KnownAccount, head: StreamHead, event: AccountEvent): void {
  evolve(known.account, event);
  known.head = head;
  keepAnswer(known, event);
}

/** Keeps the answer that the event at `head` records; undefined for what merely fell due. */
export function keepAnswer(known: KnownAccount, event: AccountEvent): Decision | undefined {
  if (event.type === 'GrantActivated' || event.type === 'CreditsExpired') return undefined;
  const decision = decisionOf(event, known.head.revision);
  known.answers.set(event.request_id, decision);
  return decision;
}

/** Events that the read side is not known to hold yet. */
export const unreadOf = (known: KnownAccount): number => known.head.revision - known.floor;
