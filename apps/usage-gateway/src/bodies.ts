import {
  about,
  AccountId,
  CallerRequestId,
  Decision,
  grantFields,
  InstantInput,
  normaliseItems,
  priceBookFields,
  usageFields,
} from '#libs/contracts';
import { FieldError, ProblemDetails } from '#libs/http';
import { z } from 'zod';

export const MAX_BATCH = 1_000;

/** What every write takes besides its own fields. */
const stamped = {
  request_id: CallerRequestId.meta({
    description:
      'Made and stored by the caller before it sends. Repeating a request with its id is safe: ' +
      'the original decision is answered again. Its scope is the account.',
    example: 'order-7-step-2',
  }),
  occurred_at: InstantInput.optional().meta({
    description: 'When it happened; decides the billing period. Default: when it was received',
    example: '2026-01-31T12:00:00Z',
  }),
  user_id: about.user_id.meta({ description: 'Which user of the account it was' }),
  api_key_id: about.api_key_id.meta({ description: "Which of the account's own keys it was" }),
  metadata: about.metadata.meta({
    description: 'Up to 16 small texts; kept with the event, never interpreted',
    example: { model: 'large-2' },
  }),
};

const account_id = AccountId.meta({ description: 'Who pays', example: 'acct-0001' });

const documentedUsage = {
  items: usageFields.items.meta({
    description: 'Several lines that are decided as one: all of them or none. Or else: operation',
  }),
  operation: usageFields.operation.meta({
    description: 'What was used, as the price book names it. Or else: items',
    example: 'text.generation',
  }),
  quantity: usageFields.quantity.meta({ description: 'How much of it. Default: 1', example: 1 }),
};

/** Usage of one account: `operation` and `quantity`, or `items`. */
export const UsageBody = z
  .strictObject({ account_id, ...stamped, ...documentedUsage })
  .transform(normaliseItems)
  .meta({
    id: 'Usage',
    description: 'Credits to be charged',
    example: {
      account_id: 'acct-0001',
      request_id: 'order-7-step-2',
      operation: 'image.generation',
    },
  });
export type UsageBody = z.infer<typeof UsageBody>;

const batchOf = (request: z.ZodType) =>
  z.strictObject({ requests: z.array(request).min(1).max(MAX_BATCH) });

/** Each request is looked at by itself: a bad one does not hold up the others. */
export const UsageBatchBody = batchOf(z.unknown()).meta({
  described_by: batchOf(UsageBody).meta({ id: 'UsageBatch' }),
});
export type UsageBatchBody = z.infer<typeof UsageBatchBody>;

export const AccountPath = z.strictObject({ account_id });
export type AccountPath = z.infer<typeof AccountPath>;

export const GrantBody = z
  .strictObject({
    ...stamped,
    credits: grantFields.credits.meta({ description: 'How many', example: '1000' }),
    kind: grantFields.kind.meta({ description: 'Where they come from' }),
    priority: grantFields.priority.meta({ description: 'Lower burns first. Default: 100' }),
    effective_at: grantFields.effective_at.meta({ description: 'Default: at once' }),
    expires_at: grantFields.expires_at.meta({ description: 'Default: never' }),
    paid: grantFields.paid.meta({ description: 'Money received for it, in minor units' }),
  })
  .meta({
    id: 'Grant',
    description: 'Credits to be given to an account',
    example: {
      request_id: 'purchase-19',
      credits: '1000',
      kind: 'pack',
      expires_at: '2027-01-31T00:00:00Z',
      paid: { amount_minor: 1900, currency: 'EUR' },
    },
  });
export type GrantBody = z.infer<typeof GrantBody>;

export const PriceBookBody = z
  .strictObject({
    ...stamped,
    version: priceBookFields.version.meta({ description: 'A new name', example: '2026-02' }),
    effective_from: priceBookFields.effective_from.meta({
      description: 'In force from then on; at least 60 s ahead',
    }),
    prices: priceBookFields.prices.meta({ description: 'By operation' }),
  })
  .meta({
    id: 'PriceBookPublication',
    description: 'All prices of a tenant from some moment on',
    example: {
      request_id: 'prices-2026-02',
      version: '2026-02',
      effective_from: '2026-02-01T00:00:00Z',
      prices: {
        'image.generation': { credits: 20 },
        'llm.input_tokens': { credits: 1, per: 1000, rounding: 'up' },
      },
    },
  });
export type PriceBookBody = z.infer<typeof PriceBookBody>;

const DECISION = {
  tenant_id: 'dev',
  account_id: 'acct-0001',
  request_id: 'order-7-step-2',
  fingerprint: 'v1:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
  outcome: 'consumed',
  credits: '20',
  balance_after: { available: '980', reserved: '0' },
  price_book_version: '2026-02',
  revision: 1,
  recorded_at: '2026-02-03T10:15:00.123Z',
  replayed: false,
};

/** The answer to a decided write. */
export const DecisionAnswer = Decision.meta({
  id: 'Decision',
  description: 'What was decided, for ever. `replayed`: it had been decided before this call',
  example: DECISION,
});

export const UsageBatchAnswer = z
  .strictObject({
    accepted: z.int().meta({ description: 'So many are durable and will be decided' }),
    undecided: z.int().meta({ description: 'So many of them were not decided within the wait' }),
    invalid: z
      .array(z.strictObject({ index: z.int(), errors: z.array(FieldError) }))
      .meta({ description: 'These were not accepted: their place in the batch, and why' }),
    decisions: z
      .array(Decision.extend({ index: z.int().meta({ description: 'Its place in the batch' }) }))
      .meta({ description: 'What was decided, in the order of the batch' }),
  })
  .meta({
    id: 'UsageBatchAnswer',
    example: {
      accepted: 2,
      undecided: 1,
      invalid: [{ index: 1, errors: [{ path: 'quantity', message: 'must be at least 1' }] }],
      decisions: [{ index: 0, ...DECISION }],
    },
  });
export type UsageBatchAnswer = z.infer<typeof UsageBatchAnswer>;

/** A rejection or conflict: problem details that carry the members of the decision. */
export const RejectionAnswer = ProblemDetails.extend(Decision.partial().shape).meta({
  id: 'Rejection',
  description: 'Problem details with the members of the decision. `code` is the reason',
  example: {
    type: 'urn:usage-ledger:problem:insufficient_credits',
    title: 'Payment Required',
    status: 402,
    code: 'insufficient_credits',
    detail: 'it costs 100 credits and 40 of them are missing',
    account_id: 'acct-0001',
    request_id: 'order-7-step-2',
    outcome: 'rejected',
    reason: 'insufficient_credits',
    price: '100',
    shortfall: '40',
    credits: '0',
    balance_after: { available: '60', reserved: '0' },
  },
});

/** Durable, not decided within the wait. */
export const AcceptedAnswer = z
  .strictObject({
    status: z.literal('accepted'),
    account_id: z.string(),
    request_id: z.string(),
    fingerprint: z.string().meta({ description: 'The decision will carry the same one' }),
  })
  .meta({ id: 'Accepted', description: 'It is durable and will be decided; see Location' });
export type AcceptedAnswer = z.infer<typeof AcceptedAnswer>;

/** One answer per event of a batch. */
export const EventsAnswer = z
  .strictObject({
    results: z.array(
      z.strictObject({
        index: z.int().meta({ description: 'Its place in the batch' }),
        status: z.int().meta({ description: 'The status that it would have had alone' }),
        body: z.union([DecisionAnswer, AcceptedAnswer, RejectionAnswer, ProblemDetails]),
      }),
    ),
  })
  .meta({ id: 'EventsAnswer' });
