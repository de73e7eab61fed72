import {
  CreditsGrantRequested,
  epochMsOf,
  instantOf,
  PriceBookPublishRequested,
  SweepRequested,
  UsageRequested,
  type AccountId,
  type Instant,
  type PriceBook,
  type TenantId,
} from '#libs/contracts';

export const TENANT = 'acme' as TenantId;
export const ACCOUNT = 'alice' as AccountId;

/** The moment at which every example decides, unless it says otherwise. */
export const NOON = '2026-03-10T12:00:00.000Z' as Instant;

/** So many minutes after NOON; a negative number is before it. */
export const minutes = (count: number): Instant => instantOf(epochMsOf(NOON) + count * 60_000);

const envelope = {
  schema: 1 as const,
  tenant_id: TENANT,
  account_id: ACCOUNT,
  request_id: 'request',
  occurred_at: NOON,
};

type Fields<T> = Partial<Record<keyof T, unknown>>;

/** Requests as the contracts make them out of what a caller writes. */
export const usage = (
  operation: string,
  quantity: number,
  fields: Fields<UsageRequested> = {},
): UsageRequested => usageOf([[operation, quantity]], fields);

export const usageOf = (
  items: readonly (readonly [operation: string, quantity: number])[],
  fields: Fields<UsageRequested> = {},
): UsageRequested =>
  UsageRequested.parse({
    ...envelope,
    type: 'UsageRequested',
    items: items.map(([operation, quantity]) => ({ operation, quantity })),
    ...fields,
  }) as UsageRequested;

export const grantOf = (
  credits: bigint,
  fields: Fields<CreditsGrantRequested> = {},
): CreditsGrantRequested =>
  CreditsGrantRequested.parse({
    ...envelope,
    type: 'CreditsGrantRequested',
    credits: credits.toString(),
    kind: 'pack',
    ...fields,
  }) as CreditsGrantRequested;

export const sweep = (fields: Fields<SweepRequested> = {}): SweepRequested =>
  SweepRequested.parse({
    ...envelope,
    type: 'SweepRequested',
    request_id: 'sys:sweep',
    ...fields,
  }) as SweepRequested;

export const publish = (fields: Fields<PriceBookPublishRequested> = {}) =>
  PriceBookPublishRequested.parse({
    ...envelope,
    type: 'PriceBookPublishRequested',
    account_id: '$pricebook',
    version: '2026-04',
    effective_from: minutes(1),
    prices: { 'text.generation': { credits: 2 } },
    ...fields,
  }) as PriceBookPublishRequested;

const price = (credits: bigint, per = 1) => ({ credits, per, rounding: 'up' as const });

/** One price of each kind: whole credits, and a fraction of a credit. */
export const PRICES = {
  version: '2026-01',
  effective_from: '1970-01-01T00:00:00.000Z',
  prices: {
    'text.generation': price(1n),
    'image.generation': price(20n),
    'llm.input_tokens': price(1n, 1_000),
    'llm.output_tokens': price(3n, 1_000),
  },
} as unknown as PriceBook;
