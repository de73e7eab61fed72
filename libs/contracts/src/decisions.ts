import { z } from 'zod';
import { Credits } from './credits.js';
import {
  Balance,
  GrantRejectionReason,
  PriceBookRejectionReason,
  UsageRejectionReason,
  type DecisionEvent,
  type PriceBookEvent,
} from './events.js';
import { OperationId, PriceBookVersion, RequestId } from './identifiers.js';
import { Instant } from './time.js';

export const OUTCOMES = [
  'consumed',
  'granted',
  'rejected',
  'price_book_published',
  'expired',
  'nothing_due',
  'conflict',
] as const;
export const Outcome = z.enum(OUTCOMES);
export type Outcome = z.infer<typeof Outcome>;

export const REJECTION_REASONS = [
  ...UsageRejectionReason.options,
  ...GrantRejectionReason.options,
  ...PriceBookRejectionReason.options,
] as const;
export const RejectionReason = z.enum(REJECTION_REASONS);
export type RejectionReason = z.infer<typeof RejectionReason>;

/**
 * The answer to one request, on topic `ledger.decisions` and over HTTP. Carries tenant, account,
 * request id and the fingerprint of the request that it answers: a waiting gateway matches all four.
 */
export const Decision = z.strictObject({
  tenant_id: z.string(),
  account_id: z.string(),
  request_id: RequestId,
  fingerprint: z.string(),
  outcome: Outcome,
  reason: RejectionReason.optional(),
  /** Credits moved: charged or granted; 0 when rejected. */
  credits: Credits,
  balance_after: Balance.optional(),
  price_book_version: PriceBookVersion.optional(),
  operation: OperationId.optional(),
  price: Credits.optional(),
  shortfall: Credits.optional(),
  /** On a conflict: the fingerprint that this request_id was first decided with. */
  original_fingerprint: z.string().optional(),
  /** Revision of the deciding event on its stream; null when nothing was recorded. */
  revision: z.int().nullable(),
  recorded_at: Instant,
  replayed: z.boolean(),
});
export type Decision = z.infer<typeof Decision>;

/** The decision that an event is, at its revision on the stream. */
export function decisionOf(event: DecisionEvent | PriceBookEvent, revision: number): Decision {
  const answered = {
    tenant_id: event.tenant_id,
    account_id: event.account_id,
    request_id: event.request_id,
    fingerprint: event.fingerprint,
  };
  const recorded = { revision, recorded_at: event.recorded_at, replayed: false };
  switch (event.type) {
    case 'UsageConsumed':
      return {
        ...answered,
        outcome: 'consumed',
        credits: event.credits,
        balance_after: event.balance_after,
        price_book_version: event.price_book_version,
        ...recorded,
      };
    case 'UsageRejected':
      return {
        ...answered,
        outcome: 'rejected',
        reason: event.reason,
        credits: 0n,
        balance_after: event.balance_after,
        price_book_version: event.price_book_version,
        ...(event.operation !== undefined && { operation: event.operation }),
        ...(event.price !== undefined && { price: event.price }),
        ...(event.shortfall !== undefined && { shortfall: event.shortfall }),
        ...recorded,
      };
    case 'CreditsGranted':
      return {
        ...answered,
        outcome: 'granted',
        credits: event.credits,
        balance_after: event.balance_after,
        ...recorded,
      };
    case 'GrantRejected':
      return {
        ...answered,
        outcome: 'rejected',
        reason: event.reason,
        credits: 0n,
        balance_after: event.balance_after,
        ...recorded,
      };
    case 'PriceBookPublished':
      return {
        ...answered,
        outcome: 'price_book_published',
        credits: 0n,
        price_book_version: event.version,
        ...recorded,
      };
    case 'PriceBookRejected':
      return { ...answered, outcome: 'rejected', reason: event.reason, credits: 0n, ...recorded };
  }
}
