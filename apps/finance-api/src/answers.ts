import {
  AccountEvent,
  Allocation,
  Balance,
  Credits,
  DeadLetter,
  Decision,
  GrantKind,
  GrantRejectionReason,
  MessageCoordinate,
  Metadata,
  Paid,
  Period,
  PriceBook,
  PricedLine,
  UsageItem,
  UsageRejectionReason,
} from '#libs/contracts';
import { z } from 'zod';

/** The forms of the answers, for the API description; the read models make the values. */

const instant = z.string().meta({ example: '2026-01-31T12:00:00.000Z' });
const revision = z.int().meta({ description: "Revision of the account's stream that is shown" });
/** Of any number of amounts, so of any length. */
const Sum = z.string().regex(/^\d+$/);
const listOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: 'null at the end' }),
  });

export const AccountPage = listOf(
  z.strictObject({
    account_id: z.string(),
    available: Credits,
    reserved: Credits,
    revision,
    next_due_at: instant.nullable(),
  }),
).meta({ id: 'AccountPage' });

export const BalanceAnswer = z
  .strictObject({
    account_id: z.string(),
    available: Credits,
    reserved: Credits,
    overdraft_limit: Credits,
    overdraft_used: Credits,
    grants: z.array(
      z.strictObject({
        grant_id: z.string(),
        kind: GrantKind,
        state: z.enum(['active', 'scheduled']),
        remaining: Credits,
        reserved: Credits,
        priority: z.int(),
        effective_at: instant,
        expires_at: instant.nullable(),
      }),
    ),
    due: z
      .array(
        z.strictObject({
          what: z.enum(['activate', 'expire']),
          due_at: instant,
          grant_id: z.string(),
          credits: Credits,
        }),
      )
      .meta({ description: 'Fallen due, recorded with the next decision or sweep' }),
    revision,
    recorded_at: instant.nullable(),
    projected_up_to: instant
      .nullable()
      .optional()
      .meta({
        description:
          'With `as_of` a time: when the last event that is projected, of any account, was ' +
          'recorded. A balance as of a time after it, or in the seconds before it, may still change',
      }),
  })
  .meta({ id: 'Balance' });

const StatementEntry = z.strictObject({
  revision,
  what: z.string().meta({ example: 'UsageConsumed' }),
  when: instant,
  occurred_at: instant,
  request_id: z.string().nullable(),
  caused_by: z.string().nullable(),
  operation: z.string().nullable().meta({
    description: 'Of the only line, or the one without a price; null when there are several',
  }),
  quantity: z.int().nullable(),
  lines: z.array(PricedLine),
  items: z
    .array(UsageItem)
    .optional()
    .meta({ description: 'Of a rejection that could not be priced: what was asked for' }),
  reason: z.string().optional(),
  grant_id: z.string().optional(),
  asked_credits: Credits.optional().meta({ description: 'Of a rejected grant' }),
  kind: GrantKind.optional(),
  state: z.enum(['active', 'scheduled']).optional().meta({
    description: 'Of a grant: scheduled credits are in no balance before their GrantActivated',
  }),
  effective_at: instant.optional(),
  expires_at: instant.nullable().optional(),
  paid: Paid.optional().meta({ description: 'Also of a rejected grant: paid for, not granted' }),
  user_id: z.string().optional(),
  api_key_id: z.string().optional(),
  metadata: Metadata.optional(),
  price_book_version: z.string().optional(),
  credits: Credits,
  allocations: z.array(Allocation),
  balance_after: Balance,
});

export const StatementPage = z
  .strictObject({ ...listOf(StatementEntry).shape, revision })
  .meta({ id: 'StatementPage' });

export const ExplanationAnswer = z
  .strictObject({
    account_id: z.string(),
    request_id: z.string(),
    decision: Decision,
    price: z
      .strictObject({
        price_book_version: z.string(),
        lines: z.array(
          z.strictObject({
            ...PricedLine.shape,
            arithmetic: z.string().meta({
              description: 'Units × credits / per so many, rounded once, and the fixed part',
              example: '374 × 1 / 1,000 = 0.374, rounded up = 1',
            }),
          }),
        ),
      })
      .nullable(),
    grants_burnt: z.array(Allocation),
    balance_before: Balance,
    balance_after: Balance,
    recorded_with: z
      .array(StatementEntry)
      .meta({ description: 'What fell due and was recorded on the occasion of this request' }),
    source: MessageCoordinate,
    stream: z.strictObject({ revision, chain: z.string() }),
    refunds: z.array(z.never()),
    invoice: z
      .strictObject({ period: z.string(), status: z.literal('draft'), href: z.string() })
      .nullable(),
    event: AccountEvent,
  })
  .meta({ id: 'Explanation' });

const InvoiceTotals = z.strictObject({
  consumed: Sum,
  purchased: Sum,
  granted: Sum,
  paid: z.array(z.strictObject({ currency: z.string(), amount_minor: Sum })),
});

const InvoiceGrant = z.strictObject({
  grant_id: z.string(),
  kind: GrantKind,
  credits: Credits,
  paid: Paid.nullable(),
  recorded_at: instant,
  revision,
});

export const InvoiceList = listOf(
  z.strictObject({ period: z.string(), status: z.literal('draft'), totals: InvoiceTotals }),
).meta({ id: 'InvoiceList' });

export const InvoiceAnswer = z
  .strictObject({
    tenant_id: z.string(),
    account_id: z.string(),
    period: z.string(),
    status: z.literal('draft'),
    lines: z.array(
      z.strictObject({
        operation: z.string(),
        price_book_version: z.string(),
        lines: z.int(),
        quantity: Sum,
        credits: Sum,
      }),
    ),
    adjustments: z.array(z.never()),
    purchases: z.array(InvoiceGrant),
    grants: z.array(InvoiceGrant),
    totals: InvoiceTotals,
    revision,
  })
  .meta({ id: 'Invoice' });

export const PriceBookAnswer = z
  .strictObject({
    ...PriceBook.shape,
    in_force: z.boolean(),
    versions: z.array(z.strictObject({ version: z.string(), effective_from: instant })),
  })
  .meta({ id: 'PriceBook' });

export const PriceBookDecision = Decision.meta({
  id: 'PriceBookDecision',
  description: '`outcome` is `price_book_published`, or `rejected` for a `reason`',
});

/** Only of a report of one account. */
const shown = { revision: revision.optional() };
const summaryOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({
    ...listOf(item).shape,
    ...shown,
    projected_up_to: instant.nullable().meta({
      description: 'When the last event that is counted, of any account, was recorded',
    }),
  });
const dimensions = {
  account_id: z.string().optional(),
  operation: z.string().optional(),
  period: Period.optional(),
  day: z.string().optional(),
};
const sums = { lines: z.int(), quantity: Sum, credits: Sum };

export const SummaryAnswer = summaryOf(z.strictObject({ ...dimensions, ...sums })).meta({
  id: 'UsageSummary',
});

export const RejectionAnswer = summaryOf(
  z.strictObject({
    ...dimensions,
    reason: UsageRejectionReason.optional(),
    requests: z.int().meta({
      description:
        'Each once; by operation, a request of several operations counts at each of them',
    }),
    ...sums,
    credits: Sum.meta({
      description: 'What it would have cost; what could not be priced counts as 0',
    }),
  }),
).meta({ id: 'RejectedUsage' });

export const RejectedGrantPage = z
  .strictObject({
    ...listOf(
      z.strictObject({
        account_id: z.string(),
        request_id: z.string(),
        reason: GrantRejectionReason,
        kind: GrantKind,
        asked_credits: Credits,
        paid: Paid.nullable(),
        occurred_at: instant,
        recorded_at: instant,
        revision: z.int(),
      }),
    ).shape,
    ...shown,
  })
  .meta({ id: 'RejectedGrants' });

export const DeadLetterPage = listOf(
  z.strictObject({
    ...DeadLetter.shape,
    tenant_id: z.string().nullable(),
    filed_at: instant,
    redriven_at: instant.nullable(),
    dismissed_at: instant.nullable(),
  }),
).meta({ id: 'DeadLetterPage' });
