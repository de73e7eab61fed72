import { z } from 'zod';
import { CreditsInput } from './credits.js';
import {
  AccountId,
  CallerRequestId,
  OperationId,
  PriceBookVersion,
  SubjectId,
  SystemRequestId,
  TenantId,
} from './identifiers.js';
import { PRICE_BOOK_ACCOUNT } from './names.js';
import { PricesInput } from './price-book.js';
import { InstantInput, type Instant } from './time.js';
import { wholeNumber } from './whole-number.js';

export const REQUEST_SCHEMA = 1;
export const MAX_ITEMS = 16;
export const MAX_QUANTITY = 1_000_000_000_000;
const MAX_METADATA_ENTRIES = 16;

export const Quantity = wholeNumber(1, MAX_QUANTITY);

export const UsageItem = z.strictObject({ operation: OperationId, quantity: Quantity });
export type UsageItem = z.infer<typeof UsageItem>;

const items = z.array(UsageItem).min(1).max(MAX_ITEMS);

/** Control characters other than white space, and halves of surrogate pairs. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]|\p{Cs}/u;
const TEXT = 'must hold no control character but white space, and no lone surrogate';

/** What UTF-8, a Postgres text and a terminal can hold. */
const printable = (text: string): boolean => !UNPRINTABLE.test(text);

/** Small facts of the caller that travel with the event and are never interpreted. */
export const Metadata = z
  .record(
    z.string().min(1).max(64).refine(printable, TEXT),
    z.string().max(256).refine(printable, TEXT),
  )
  .refine(
    (metadata) => Object.keys(metadata).length <= MAX_METADATA_ENTRIES,
    `must have at most ${MAX_METADATA_ENTRIES} entries`,
  );

/** What every caller may add to a request. */
export const about = {
  user_id: SubjectId.optional(),
  api_key_id: SubjectId.optional(),
  metadata: Metadata.optional(),
};

const envelope = {
  schema: z.literal(REQUEST_SCHEMA),
  tenant_id: TenantId,
  account_id: AccountId,
  request_id: CallerRequestId,
  /**
   * The producer's claim of when it happened; decides the billing period, never the order. Default: when
   * the broker received it. A sender's own clock is no default: ahead of the broker's, it would be refused.
   */
  occurred_at: InstantInput.optional(),
  ...about,
};

/**
 * Usage as a caller writes it: `items`, or `operation` with `quantity` (default 1) for a single one.
 * Comes out with `items` alone, so that both forms are one request with one fingerprint.
 */
export const usageFields = {
  items: items.optional(),
  operation: OperationId.optional(),
  quantity: Quantity.optional(),
};

interface UsageFields {
  items?: UsageItem[] | undefined;
  operation?: OperationId | undefined;
  quantity?: number | undefined;
}

export function normaliseItems<T extends UsageFields>(
  value: T,
  context: z.RefinementCtx,
): Omit<T, keyof UsageFields> & { items: UsageItem[] } {
  const { items: listed, operation, quantity, ...rest } = value;
  if (listed && (operation !== undefined || quantity !== undefined)) {
    const path = [operation !== undefined ? 'operation' : 'quantity'];
    context.addIssue({ code: 'custom', path, message: 'give either items or operation, not both' });
    return z.NEVER;
  }
  // Into `rest`: in Node 20 what is spread from it, too, is slow to make and to read ever after.
  if (listed) return Object.assign(rest, { items: listed });
  if (operation === undefined) {
    const message = 'required: give operation (and quantity) or items';
    context.addIssue({ code: 'custom', path: ['operation'], message });
    return z.NEVER;
  }
  return Object.assign(rest, { items: [{ operation, quantity: quantity ?? 1 }] });
}

/** As it was received: it has a time, its own or that of its message. */
type Received<Sent> = Sent & { occurred_at: Instant };

export const UsageRequested = z
  .strictObject({ ...envelope, type: z.literal('UsageRequested'), ...usageFields })
  .transform(normaliseItems);
export type UsageRequested = Received<z.infer<typeof UsageRequested>>;

export const GrantKind = z.enum(['pack', 'promo', 'plan', 'adjustment']);
export type GrantKind = z.infer<typeof GrantKind>;

/** Money received for a grant: ISO 4217 code and whole minor units (cents). */
export const Paid = z.strictObject({
  amount_minor: wholeNumber(0),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR'),
});
export type Paid = z.infer<typeof Paid>;

export const grantFields = {
  credits: CreditsInput,
  kind: GrantKind,
  /** Lower burns first. Default 100. */
  priority: wholeNumber(0, 1_000).optional(),
  /** Default: at once. */
  effective_at: InstantInput.optional(),
  /** Default: never. */
  expires_at: InstantInput.optional(),
  paid: Paid.optional(),
};

export const CreditsGrantRequested = z.strictObject({
  ...envelope,
  type: z.literal('CreditsGrantRequested'),
  ...grantFields,
});
export type CreditsGrantRequested = Received<z.infer<typeof CreditsGrantRequested>>;

/** Records what has fallen due on an account that nobody touches. Ours alone: `sys:` id. */
export const SweepRequested = z.strictObject({
  ...envelope,
  type: z.literal('SweepRequested'),
  request_id: SystemRequestId,
});
export type SweepRequested = Received<z.infer<typeof SweepRequested>>;

export const priceBookFields = {
  version: PriceBookVersion,
  effective_from: InstantInput,
  prices: PricesInput,
};

export const PriceBookPublishRequested = z.strictObject({
  ...envelope,
  type: z.literal('PriceBookPublishRequested'),
  account_id: z.literal(PRICE_BOOK_ACCOUNT).brand<'AccountId'>(),
  ...priceBookFields,
});
export type PriceBookPublishRequested = Received<z.infer<typeof PriceBookPublishRequested>>;

/** Everything that can be asked of the ledger. */
export const LedgerRequest = z.discriminatedUnion('type', [
  UsageRequested,
  CreditsGrantRequested,
  SweepRequested,
  PriceBookPublishRequested,
]);
export type LedgerRequest =
  UsageRequested | CreditsGrantRequested | SweepRequested | PriceBookPublishRequested;
/** The same before it is sent; it may have no time yet. */
export type UnsentRequest = z.infer<typeof LedgerRequest>;
/** The same as it stands on the wire. */
export type LedgerRequestInput = z.input<typeof LedgerRequest>;

/** A request about one account (all but the price book's). */
export type AccountRequest = Exclude<LedgerRequest, PriceBookPublishRequested>;
