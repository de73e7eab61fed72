import {
  EVENT_SCHEMA,
  periodOf,
  type AccountEvent,
  type AccountRequest,
  type CreditsGranted,
  type CreditsGrantRequested,
  type Decision,
  type GrantRejected,
  type GrantRejectionReason,
  type Instant,
  type LedgerRequest,
  type MessageCoordinate,
  type PriceBook,
  type UsageConsumed,
  type UsageRejected,
  type UsageRequested,
} from '#libs/contracts';
import { balanceOf, MAX_OPEN_GRANTS, type ReadonlyAccount } from './account.js';
import { allocate, DEFAULT_PRIORITY } from './burn-order.js';
import { recordDue } from './due.js';
import { quote } from './pricing.js';

/** What surrounds a decision and is neither request nor account. */
export interface Context {
  /** max(the message's broker timestamp, the account's last `now`). */
  readonly now: Instant;
  /** The version in force at `now`. */
  readonly price_book: PriceBook;
  readonly source: MessageCoordinate;
  readonly fingerprint: string;
}

export type Verdict<E = AccountEvent> =
  /** To be appended, in this order; the last one is the decision. */
  | { readonly kind: 'recorded'; readonly events: readonly E[] }
  | { readonly kind: 'answered'; readonly decision: Decision };

/**
 * Decides one request on an account. Pure: the same arguments give the same bytes. The precedence,
 * in this order: already decided (`prior`) → replay or conflict; what is due by now is recorded first;
 * then the request's own rules.
 */
export function decide(
  request: AccountRequest,
  account: ReadonlyAccount,
  prior: Decision | undefined,
  context: Context,
): Verdict {
  if (prior) return { kind: 'answered', decision: answerAgain(request, prior, context) };
  const { now, source } = context;
  const due = recordDue(account, { now, caused_by: request.request_id, source });
  switch (request.type) {
    case 'UsageRequested':
      return recorded(due.events, decideUsage(request, due.account, context));
    case 'CreditsGrantRequested':
      return recorded(due.events, decideGrant(request, due.account, context));
    case 'SweepRequested':
      if (due.events.length > 0) return { kind: 'recorded', events: due.events };
      return { kind: 'answered', decision: nothingDue(request, account, context) };
  }
}

const recorded = (due: readonly AccountEvent[], decision: AccountEvent): Verdict => ({
  kind: 'recorded',
  events: due.length === 0 ? [decision] : [...due, decision],
});

/** Same fingerprint: the original answer, whatever it was. Another one: a conflict, nothing charged. */
export function answerAgain(
  request: LedgerRequest,
  prior: Decision,
  context: Pick<Context, 'fingerprint' | 'now'>,
): Decision {
  if (prior.fingerprint === context.fingerprint) return { ...prior, replayed: true };
  return {
    tenant_id: request.tenant_id,
    account_id: request.account_id,
    request_id: request.request_id,
    fingerprint: context.fingerprint,
    outcome: 'conflict',
    credits: 0n,
    original_fingerprint: prior.fingerprint,
    revision: prior.revision,
    recorded_at: context.now,
    replayed: false,
  };
}

function nothingDue(request: LedgerRequest, account: ReadonlyAccount, context: Context): Decision {
  return {
    tenant_id: request.tenant_id,
    account_id: request.account_id,
    request_id: request.request_id,
    fingerprint: context.fingerprint,
    outcome: 'nothing_due',
    credits: 0n,
    balance_after: balanceOf(account),
    revision: null,
    recorded_at: context.now,
    replayed: false,
  };
}

function decideUsage(
  request: UsageRequested,
  account: ReadonlyAccount,
  context: Context,
): UsageConsumed | UsageRejected {
  const priced = quote(request.items, context.price_book);
  if (priced.kind === 'unknown_operation') {
    return rejectUsage(request, account, context, {
      reason: 'unknown_operation',
      operation: priced.operation,
      lines: [],
      items: request.items,
    });
  }
  if (priced.kind === 'price_too_large') {
    const { items } = request;
    return rejectUsage(request, account, context, { reason: 'price_too_large', lines: [], items });
  }
  const { lines, credits } = priced;
  if (account.available < credits) {
    return rejectUsage(request, account, context, {
      reason: 'insufficient_credits',
      lines,
      price: credits,
      shortfall: credits - account.available,
    });
  }
  return {
    type: 'UsageConsumed',
    ...decisionFields(request, context),
    lines,
    price_book_version: context.price_book.version,
    period: periodOf(request.occurred_at),
    credits,
    allocations: allocate(account.grants, credits),
    balance_after: { available: account.available - credits, reserved: account.reserved },
  };
}

const rejectUsage = (
  request: UsageRequested,
  account: ReadonlyAccount,
  context: Context,
  why: Pick<UsageRejected, 'reason' | 'operation' | 'lines' | 'items' | 'price' | 'shortfall'>,
): UsageRejected => ({
  type: 'UsageRejected',
  ...decisionFields(request, context),
  ...why,
  price_book_version: context.price_book.version,
  period: periodOf(request.occurred_at),
  balance_after: balanceOf(account),
});

function decideGrant(
  request: CreditsGrantRequested,
  account: ReadonlyAccount,
  context: Context,
): CreditsGranted | GrantRejected {
  const { now } = context;
  const effective_at = request.effective_at ?? now;
  const state = effective_at > now ? 'scheduled' : 'active';
  const expires_at = request.expires_at ?? null;
  const counts_from = state === 'scheduled' ? effective_at : now;
  if (expires_at !== null && expires_at <= counts_from) {
    return rejectGrant(request, account, context, 'already_expired');
  }
  if (account.grants.length >= MAX_OPEN_GRANTS) {
    return rejectGrant(request, account, context, 'too_many_open_grants');
  }
  const { credits } = request;
  const counted = state === 'active' ? credits : 0n;
  return {
    type: 'CreditsGranted',
    ...decisionFields(request, context),
    grant_id: request.request_id as string as CreditsGranted['grant_id'],
    kind: request.kind,
    priority: request.priority ?? DEFAULT_PRIORITY,
    effective_at,
    expires_at,
    state,
    ...(request.paid && { paid: request.paid }),
    period: periodOf(request.occurred_at),
    credits,
    allocations: [
      { grant_id: request.request_id as string as CreditsGranted['grant_id'], credits },
    ],
    balance_after: { available: account.available + counted, reserved: account.reserved },
  };
}

const rejectGrant = (
  request: CreditsGrantRequested,
  account: ReadonlyAccount,
  context: Context,
  reason: GrantRejectionReason,
): GrantRejected => grantRejection(request, context, reason, balanceOf(account));

/** The rejection of a grant, which repeats what was asked. */
export const grantRejection = (
  request: CreditsGrantRequested,
  context: Omit<Context, 'price_book'>,
  reason: GrantRejectionReason,
  balance_after: GrantRejected['balance_after'],
): GrantRejected => ({
  type: 'GrantRejected',
  ...decisionFields(request, context),
  reason,
  asked_credits: request.credits,
  kind: request.kind,
  effective_at: request.effective_at ?? context.now,
  expires_at: request.expires_at ?? null,
  ...(request.paid && { paid: request.paid }),
  balance_after,
});

/** What the event that decides a request repeats of it, in the order in which it is stored. */
export const decisionFields = (request: LedgerRequest, context: Omit<Context, 'price_book'>) => ({
  schema: EVENT_SCHEMA as typeof EVENT_SCHEMA,
  tenant_id: request.tenant_id,
  account_id: request.account_id,
  request_id: request.request_id,
  fingerprint: context.fingerprint,
  ...(request.user_id !== undefined && { user_id: request.user_id }),
  ...(request.api_key_id !== undefined && { api_key_id: request.api_key_id }),
  ...(request.metadata !== undefined && { metadata: request.metadata }),
  occurred_at: request.occurred_at,
  recorded_at: context.now,
  source: context.source,
});
