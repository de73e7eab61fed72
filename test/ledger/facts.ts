import {
  fingerprintOf,
  periodOf,
  type AccountEvent,
  type AccountRequest,
  type Balance,
  type Instant,
} from '#libs/contracts';
import type { Context } from '#libs/ledger';
import { grantOf, minutes, PRICES, sweep, usageOf } from './requests.js';

/** Credits on grants: `[['pack', 20n]]`. */
export type Moved = readonly (readonly [grant_id: string, credits: bigint])[];

/** Further fields of an event, by name. */
type Own = Readonly<Record<string, unknown>>;

/**
 * An event as an example tells it: what is particular to it. The rest comes from the request that it
 * answers, the context of the decision and the balance before it.
 */
export interface Fact {
  readonly type: AccountEvent['type'];
  readonly own: Own;
  /** What it adds to the available credits. */
  readonly adds: bigint;
  /** When a fact of the past was recorded. */
  readonly at: Instant;
}

const LONG_AGO = minutes(-60);

interface GrantTerms {
  readonly kind?: string;
  readonly priority?: number;
  readonly effective_at?: Instant;
  readonly expires_at?: Instant | null;
  readonly state?: 'active' | 'scheduled';
  readonly paid?: { readonly amount_minor: number; readonly currency: string };
  readonly at?: Instant;
}

export function granted(grant_id: string, credits: bigint, terms: GrantTerms = {}): Fact {
  const { at = LONG_AGO, state = 'active', effective_at = at, paid } = terms;
  const own = {
    request_id: grant_id,
    grant_id,
    kind: terms.kind ?? 'pack',
    priority: terms.priority ?? 100,
    effective_at,
    expires_at: terms.expires_at ?? null,
    state,
    ...(paid && { paid }),
    credits,
    allocations: [{ grant_id, credits }],
  };
  return { type: 'CreditsGranted', own, adds: state === 'active' ? credits : 0n, at };
}

/** A grant that counts only from `effective_at` on. */
export const scheduled = (
  grant_id: string,
  credits: bigint,
  terms: GrantTerms & { readonly effective_at: Instant },
): Fact => granted(grant_id, credits, { ...terms, state: 'scheduled' });

export function consumed(moved: Moved, own: Own & { readonly at?: Instant } = {}): Fact {
  const { at = LONG_AGO, ...rest } = own;
  const allocations = moved.map(([grant_id, credits]) => ({ grant_id, credits }));
  const credits = moved.reduce((sum, [, part]) => sum + part, 0n);
  const priced = { lines: expect.any(Array), price_book_version: PRICES.version };
  const fields = { ...priced, credits, allocations, ...rest };
  return { type: 'UsageConsumed', own: fields, adds: -credits, at };
}

/** What fell due at `occurred_at` on a grant: it starts to count, or what is left of it expires. */
const due = (
  type: 'GrantActivated' | 'CreditsExpired',
  grant_id: string,
  credits: bigint,
  occurred_at: Instant,
): Fact => ({
  type,
  own: { grant_id, credits, allocations: [{ grant_id, credits }], occurred_at },
  adds: type === 'GrantActivated' ? credits : -credits,
  at: occurred_at,
});

export const activated = (grant_id: string, credits: bigint, at: Instant): Fact =>
  due('GrantActivated', grant_id, credits, at);
export const expired = (grant_id: string, credits: bigint, at: Instant): Fact =>
  due('CreditsExpired', grant_id, credits, at);

export const rejected = (
  type: 'UsageRejected' | 'GrantRejected',
  own: Own & { readonly reason: string },
): Fact => ({
  type,
  own: type === 'UsageRejected' ? { price_book_version: PRICES.version, ...own } : { ...own },
  adds: 0n,
  at: LONG_AGO,
});

/** The event as it must be recorded, in full. */
export function eventOf(
  fact: Fact,
  before: Balance,
  request: AccountRequest,
  context: Context,
): AccountEvent {
  const balance_after = { ...before, available: before.available + fact.adds };
  const { tenant_id, account_id, request_id, occurred_at } = request;
  const { now: recorded_at, source, fingerprint } = context;
  const common = { schema: 1, tenant_id, account_id, occurred_at, recorded_at, source };
  if (fact.type === 'GrantActivated' || fact.type === 'CreditsExpired') {
    const own = { type: fact.type, caused_by: request_id, ...fact.own, balance_after };
    return { ...common, ...own } as AccountEvent;
  }
  const { user_id, api_key_id, metadata } = request;
  const told = { user_id, api_key_id, metadata };
  const answered = { ...common, ...told, request_id, fingerprint, type: fact.type };
  const period = fact.type === 'GrantRejected' ? {} : { period: periodOf(request.occurred_at) };
  return { ...answered, ...period, ...fact.own, balance_after } as AccountEvent;
}

/** The request of which a fact of the past may have come; examples that look at it say so. */
export function requestOf(fact: Fact): AccountRequest {
  const request_id = fact.own['request_id'] ?? fact.type;
  if (fact.type === 'UsageConsumed' || fact.type === 'UsageRejected') {
    return usageOf([['text.generation', 1]], { request_id, occurred_at: fact.at });
  }
  if (fact.type === 'CreditsGranted' || fact.type === 'GrantRejected') {
    return grantOf(1n, { request_id, occurred_at: fact.at });
  }
  return sweep({ occurred_at: fact.at });
}

export const contextOf = (request: AccountRequest, now: Instant): Context => ({
  now,
  price_book: PRICES,
  source: { topic: 'ledger.requests', partition: 3, offset: 42 },
  fingerprint: fingerprintOf(request),
});
