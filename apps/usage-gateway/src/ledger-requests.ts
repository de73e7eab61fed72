import {
  MAX_ACCEPTED_AHEAD_MS,
  epochMsOf,
  PRICE_BOOK_ACCOUNT,
  REQUEST_SCHEMA,
  type AccountId,
  type Instant,
  type PriceBookPublishRequested,
  type TenantId,
  type UnsentRequest,
} from '#libs/contracts';
import type { FieldError } from '#libs/http';
import type { GrantBody, PriceBookBody, UsageBody } from './bodies.js';

/** Whose request it is, which a body does not say, and when it came. */
export interface Stamp {
  readonly tenant_id: TenantId;
  readonly now_ms: number;
}

export const usageRequested = (body: UsageBody, stamp: Stamp): UnsentRequest => ({
  ...body,
  ...enveloped(stamp),
  type: 'UsageRequested',
});

export const grantRequested = (
  body: GrantBody,
  account_id: AccountId,
  stamp: Stamp,
): UnsentRequest => ({
  ...body,
  ...enveloped(stamp),
  type: 'CreditsGrantRequested',
  account_id,
});

export const priceBookRequested = (body: PriceBookBody, stamp: Stamp): UnsentRequest => ({
  ...body,
  ...enveloped(stamp),
  type: 'PriceBookPublishRequested',
  account_id: PRICE_BOOK_ACCOUNT as PriceBookPublishRequested['account_id'],
});

/** No time of this process's clock: a request without one happened when the broker received it. */
const enveloped = ({ tenant_id }: Stamp) => ({
  schema: REQUEST_SCHEMA as typeof REQUEST_SCHEMA,
  tenant_id,
});

/** Usage from the future cannot be booked: it would choose its billing period. */
export function futureErrors(
  occurred_at: Instant | undefined,
  now_ms: number,
  path = 'occurred_at',
): FieldError[] {
  if (occurred_at === undefined) return [];
  if (epochMsOf(occurred_at) - now_ms <= MAX_ACCEPTED_AHEAD_MS) return [];
  return [{ path, message: 'is more than 4 minutes in the future' }];
}
