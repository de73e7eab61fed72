import { z } from 'zod';

/** Ids of callers: safe in a stream name, a URL path, a log line and a CSV cell without escaping. */
export const ID_PATTERN = /^[A-Za-z0-9_.:@-]{1,128}$/;
const ID_MESSAGE = 'must be 1 to 128 characters out of A-Z a-z 0-9 _ . : @ -';
const DOTS_MESSAGE = 'must not be . or .., which HTTP clients resolve out of a path';

/** Request ids that begin so are the ledger's own (sweep, period job); callers may not use them. */
export const SYSTEM_PREFIX = 'sys:';

const id = z
  .string()
  .regex(ID_PATTERN, ID_MESSAGE)
  .refine((value) => value !== '.' && value !== '..', DOTS_MESSAGE);

export const TenantId = id.brand<'TenantId'>();
export const AccountId = id.brand<'AccountId'>();
/** Made and stored by the caller before it sends; its scope is the account. */
export const RequestId = id.brand<'RequestId'>();
export const CallerRequestId = id
  .refine((value) => !value.startsWith(SYSTEM_PREFIX), `must not begin with ${SYSTEM_PREFIX}`)
  .brand<'RequestId'>();
export const SystemRequestId = id
  .refine((value) => value.startsWith(SYSTEM_PREFIX), `must begin with ${SYSTEM_PREFIX}`)
  .brand<'RequestId'>();
/** A grant's id is the request_id of the request that granted it. */
export const GrantId = id.brand<'GrantId'>();
export const OperationId = id.brand<'OperationId'>();
export const PriceBookVersion = id.brand<'PriceBookVersion'>();
export const SubjectId = id;

export type TenantId = z.infer<typeof TenantId>;
export type AccountId = z.infer<typeof AccountId>;
export type RequestId = z.infer<typeof RequestId>;
export type GrantId = z.infer<typeof GrantId>;
export type OperationId = z.infer<typeof OperationId>;
export type PriceBookVersion = z.infer<typeof PriceBookVersion>;

/** `<tenant>/<account>`: message key and stream suffix. An id holds no slash, so it is unambiguous. */
export type AccountKey = string & { readonly __brand: 'AccountKey' };

export const accountKey = (tenant_id: string, account_id: string): AccountKey =>
  `${tenant_id}/${account_id}` as AccountKey;

/** Inverse of accountKey. */
export function idsOfKey(key: AccountKey): [TenantId, AccountId] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash) as TenantId, key.slice(slash + 1) as AccountId];
}
