import { z } from 'zod';
import { Credits } from './credits.js';
import {
  AccountId,
  GrantId,
  OperationId,
  PriceBookVersion,
  RequestId,
  SubjectId,
  TenantId,
} from './identifiers.js';
import { PRICE_BOOK_ACCOUNT } from './names.js';
import { PriceBook, Rounding } from './price-book.js';
import { GrantKind, Metadata, Paid, Quantity, UsageItem } from './requests.js';
import { Instant, Period } from './time.js';

export const EVENT_SCHEMA = 1;

// The fields of every event are listed in the order in which the ledger builds it: what is decoded and
// encoded again has the same bytes.

/** Where the request stood on the bus: the message that an auditor finds again. */
export const MessageCoordinate = z.strictObject({
  topic: z.string(),
  partition: z.int().min(0),
  offset: z.int().min(0),
});
export type MessageCoordinate = z.infer<typeof MessageCoordinate>;

export const Balance = z.strictObject({ available: Credits, reserved: Credits });
export type Balance = z.infer<typeof Balance>;

/** Credits moved on one grant. The list on an event is final: nothing later recomputes it. */
export const Allocation = z.strictObject({ grant_id: GrantId, credits: Credits });
export type Allocation = z.infer<typeof Allocation>;

/** One priced line, with all that its arithmetic needs. */
export const PricedLine = z.strictObject({
  operation: OperationId,
  quantity: Quantity,
  /** What the line costs: round(quantity × unit_credits / per) + fixed (none when absent). */
  credits: Credits,
  unit_credits: Credits,
  per: z.int().min(1),
  rounding: Rounding,
  fixed: Credits.optional(),
});
export type PricedLine = z.infer<typeof PricedLine>;

const whose = { schema: z.literal(EVENT_SCHEMA), tenant_id: TenantId, account_id: AccountId };

const recorded = {
  occurred_at: Instant,
  /** The `now` of the decision: never a wall clock. */
  recorded_at: Instant,
  source: MessageCoordinate,
};

/** Carried by the one event that is a request's decision. */
const decision = {
  ...whose,
  request_id: RequestId,
  fingerprint: z.string(),
  user_id: SubjectId.optional(),
  api_key_id: SubjectId.optional(),
  metadata: Metadata.optional(),
  ...recorded,
};

/** Carried by an event that fell due and was recorded on the occasion of a request. */
const due = { ...whose, caused_by: RequestId, grant_id: GrantId, ...recorded };

const moved = { credits: Credits, allocations: z.array(Allocation), balance_after: Balance };

export const UsageConsumed = z.strictObject({
  type: z.literal('UsageConsumed'),
  ...decision,
  lines: z.array(PricedLine),
  price_book_version: PriceBookVersion,
  period: Period,
  ...moved,
});
export type UsageConsumed = z.infer<typeof UsageConsumed>;

export const UsageRejectionReason = z.enum([
  'unknown_operation',
  'price_too_large',
  'insufficient_credits',
]);
export type UsageRejectionReason = z.infer<typeof UsageRejectionReason>;

/** A rejection is an event too: it is final for its request_id, and the lost-revenue report. */
export const UsageRejected = z.strictObject({
  type: z.literal('UsageRejected'),
  ...decision,
  reason: UsageRejectionReason,
  /** The first operation that the book does not price (unknown_operation). */
  operation: OperationId.optional(),
  /** Empty when it could not be priced; `items` says what was asked then. */
  lines: z.array(PricedLine),
  items: z.array(UsageItem).optional(),
  /** What it would have cost, and how much of that was missing (insufficient_credits). */
  price: Credits.optional(),
  shortfall: Credits.optional(),
  price_book_version: PriceBookVersion,
  period: Period,
  balance_after: Balance,
});
export type UsageRejected = z.infer<typeof UsageRejected>;

const grantTerms = {
  grant_id: GrantId,
  kind: GrantKind,
  priority: z.int(),
  effective_at: Instant,
  expires_at: Instant.nullable(),
};

export const CreditsGranted = z.strictObject({
  type: z.literal('CreditsGranted'),
  ...decision,
  ...grantTerms,
  /** `scheduled` counts only from its GrantActivated on. */
  state: z.enum(['active', 'scheduled']),
  paid: Paid.optional(),
  period: Period,
  ...moved,
});
export type CreditsGranted = z.infer<typeof CreditsGranted>;

export const GrantRejectionReason = z.enum(['already_expired', 'too_many_open_grants']);
export type GrantRejectionReason = z.infer<typeof GrantRejectionReason>;

export const GrantRejected = z.strictObject({
  type: z.literal('GrantRejected'),
  ...decision,
  reason: GrantRejectionReason,
  /** What was asked, and paid for: a payment whose credits were refused must be found again. */
  asked_credits: Credits,
  kind: GrantKind,
  effective_at: Instant,
  expires_at: Instant.nullable(),
  paid: Paid.optional(),
  balance_after: Balance,
});
export type GrantRejected = z.infer<typeof GrantRejected>;

export const GrantActivated = z.strictObject({
  type: z.literal('GrantActivated'),
  ...due,
  ...moved,
});
export type GrantActivated = z.infer<typeof GrantActivated>;

export const CreditsExpired = z.strictObject({
  type: z.literal('CreditsExpired'),
  ...due,
  ...moved,
});
export type CreditsExpired = z.infer<typeof CreditsExpired>;

/** Everything that an account's stream may hold. An unknown type stops its reader. */
export const AccountEvent = z.discriminatedUnion('type', [
  UsageConsumed,
  UsageRejected,
  CreditsGranted,
  GrantRejected,
  GrantActivated,
  CreditsExpired,
]);
export type AccountEvent = z.infer<typeof AccountEvent>;

/** An account event that is a request's decision. */
export type DecisionEvent = Exclude<AccountEvent, GrantActivated | CreditsExpired>;

const PriceBookAccount = z.literal(PRICE_BOOK_ACCOUNT).brand<'AccountId'>();

export const PriceBookPublished = z.strictObject({
  type: z.literal('PriceBookPublished'),
  ...decision,
  account_id: PriceBookAccount,
  ...PriceBook.shape,
});
export type PriceBookPublished = z.infer<typeof PriceBookPublished>;

export const PriceBookRejectionReason = z.enum(['version_exists', 'effective_from_too_soon']);
export type PriceBookRejectionReason = z.infer<typeof PriceBookRejectionReason>;

export const PriceBookRejected = z.strictObject({
  type: z.literal('PriceBookRejected'),
  ...decision,
  account_id: PriceBookAccount,
  version: PriceBookVersion,
  effective_from: Instant,
  reason: PriceBookRejectionReason,
  /** The earliest that it could have been, by the writer's clock too (effective_from_too_soon). */
  earliest: Instant.optional(),
});
export type PriceBookRejected = z.infer<typeof PriceBookRejected>;

/** Everything that a price book's stream may hold. */
export const PriceBookEvent = z.discriminatedUnion('type', [PriceBookPublished, PriceBookRejected]);
export type PriceBookEvent = z.infer<typeof PriceBookEvent>;

export type LedgerEvent = AccountEvent | PriceBookEvent;
