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
  switch (event.type) {
    case 'UsageConsumed': {
      const decision = newDecision(event, 'consumed', event.credits, revision);
      decision.balance_after = event.balance_after;
      decision.price_book_version = event.price_book_version;
      return decision;
    }
    case 'UsageRejected': {
      const decision = newDecision(event, 'rejected', 0n, revision);
      decision.reason = event.reason;
      decision.balance_after = event.balance_after;
      decision.price_book_version = event.price_book_version;
      if (event.operation !== undefined) decision.operation = event.operation;
      if (event.price !== undefined) decision.price = event.price;
      if (event.shortfall !== undefined) decision.shortfall = event.shortfall;
      return decision;
    }
    case 'CreditsGranted': {
      const decision = newDecision(event, 'granted', event.credits, revision);
      decision.balance_after = event.balance_after;
      return decision;
    }
    case 'GrantRejected': {
      const decision = newDecision(event, 'rejected', 0n, revision);
      decision.reason = event.reason;
      decision.balance_after = event.balance_after;
      return decision;
    }
    case 'PriceBookPublished': {
      const decision = newDecision(event, 'price_book_published', 0n, revision);
      decision.price_book_version = event.version;
      return decision;
    }
    case 'PriceBookRejected': {
      const decision = newDecision(event, 'rejected', 0n, revision);
      decision.reason = event.reason;
      return decision;
    }
  }
}

/** One literal and then assignments: spreading would cost more than all else in a decision. */
const newDecision = (
  event: DecisionEvent | PriceBookEvent,
  outcome: Outcome,
  credits: Credits,
  revision: number,
): Decision => ({
  tenant_id: event.tenant_id,
  account_id: event.account_id,
  request_id: event.request_id,
  fingerprint: event.fingerprint,
  outcome,
  credits,
  revision,
  recorded_at: event.recorded_at,
  replayed: false,
});
