import {
  AccountId,
  DayInput,
  InstantInput,
  Period,
  PriceBookVersion,
  RequestId,
} from '#libs/contracts';
import { DEFAULT_PAGE, MAX_PAGE, REJECTION_GROUPS, USAGE_GROUPS } from '#libs/read-models';
import { z } from 'zod';

const account_id = AccountId.meta({ description: 'Who pays', example: 'acct-0001' });
const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** Read your own write: the revision that a decision has. */
const at_least = wholeNumber.optional().meta({
  description:
    'Wait, up to 5 s, until the read model shows this revision of the account; 503 when it does not',
  example: '12',
});

const page = {
  cursor: z.string().max(512).optional().meta({ description: "A page's next_cursor" }),
  limit: wholeNumber
    .refine((limit) => limit >= 1 && limit <= MAX_PAGE, `must be from 1 to ${MAX_PAGE}`)
    .optional()
    .meta({
      description: `Items per page, 1 to ${MAX_PAGE}. Default: ${DEFAULT_PAGE}`,
      example: '50',
    }),
};

const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional();

export const AccountPath = z.strictObject({ account_id });
export type AccountPath = z.infer<typeof AccountPath>;

export const RequestPath = z.strictObject({ account_id, request_id: RequestId });
export type RequestPath = z.infer<typeof RequestPath>;

export const PriceBookRequestPath = z.strictObject({ request_id: RequestId });
export type PriceBookRequestPath = z.infer<typeof PriceBookRequestPath>;

/** `2026-01` or `2026-01.csv`. */
export const InvoicePath = z.strictObject({
  account_id,
  period: z
    .string()
    .regex(/^\d{4}-(0[1-9]|1[0-2])(\.csv)?$/, 'must be a month such as 2026-01, or 2026-01.csv')
    .meta({ description: 'The month (UTC); with `.csv` for a spreadsheet', example: '2026-01' }),
});
export type InvoicePath = z.infer<typeof InvoicePath>;

export const periodOfPath = (period: string): Period => period.slice(0, 7);

export const BalanceQuestion = z.strictObject({
  at_least,
  as_of: z
    .union(
      [wholeNumber, InstantInput],
      'must be a revision or an RFC 3339 time, such as 2026-11-29T00:00:00Z',
    )
    .optional()
    .meta({
      description:
        'The balance as it was, at a revision or a time; neither may be yet to come. What was ' +
        'recorded shortly before a time may not be projected yet: see `projected_up_to`, and ' +
        'give `at_least` as well to have at least what you know of',
      example: '7',
    }),
});
export type BalanceQuestion = z.infer<typeof BalanceQuestion>;

export const AccountQuestion = z.strictObject({ at_least });
export type AccountQuestion = z.infer<typeof AccountQuestion>;

export const StatementQuestion = z.strictObject({ at_least, ...page });
export type StatementQuestion = z.infer<typeof StatementQuestion>;

export const PageQuestion = z.strictObject(page);
export type PageQuestion = z.infer<typeof PageQuestion>;

export const DeadLetterQuestion = z.strictObject({
  ...page,
  open: flag.meta({ description: 'Only those that were neither redriven nor dismissed' }),
});
export type DeadLetterQuestion = z.infer<typeof DeadLetterQuestion>;

export const PriceBookQuestion = z.strictObject({
  version: PriceBookVersion.optional().meta({ description: 'Default: the one in force now' }),
});
export type PriceBookQuestion = z.infer<typeof PriceBookQuestion>;

const days = {
  from: DayInput.optional().meta({ description: 'First day (UTC, of occurred_at) that counts' }),
  to: DayInput.optional().meta({ description: 'First day that no longer counts' }),
};

/** A report over all accounts, or of one; only of one is there a revision to wait for. */
const ofOneOrAll = {
  account_id: AccountId.optional().meta({
    description: 'Only this account; 404 when there is none',
  }),
  at_least: at_least.meta({ description: 'Of `account_id`: wait, up to 5 s, for this revision' }),
};

interface ReportQuestion {
  from?: string | undefined;
  to?: string | undefined;
  account_id?: AccountId | undefined;
  at_least?: number | undefined;
}

const readableReport = <T extends z.ZodType<ReportQuestion>>(question: T) =>
  question
    .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
      path: ['to'],
      error: 'must be after from: it is the first day that no longer counts',
    })
    .refine(
      ({ account_id: one, at_least: revision }) => one !== undefined || revision === undefined,
      {
        path: ['at_least'],
        error: 'is a revision of one account: give account_id as well',
      },
    );

const groupBy = <const G extends readonly string[]>(groups: G) =>
  z
    .string()
    .transform((text) => text.split(',').filter((name) => name !== ''))
    .pipe(z.array(z.enum(groups, `must be out of ${groups.join(', ')}`)))
    .default([])
    .meta({ description: `Any of ${groups.join(', ')}, by commas`, example: 'operation,day' });

export const SummaryQuestion = readableReport(
  z.strictObject({ ...days, ...ofOneOrAll, group_by: groupBy(USAGE_GROUPS) }),
);
export type SummaryQuestion = z.infer<typeof SummaryQuestion>;

export const RejectionQuestion = readableReport(
  z.strictObject({ ...days, ...ofOneOrAll, group_by: groupBy(REJECTION_GROUPS) }),
);
export type RejectionQuestion = z.infer<typeof RejectionQuestion>;

export const RejectedGrantQuestion = readableReport(
  z.strictObject({
    ...days,
    ...ofOneOrAll,
    paid: flag.meta({ description: 'true: only those that were paid for; false: only the others' }),
    ...page,
  }),
);
export type RejectedGrantQuestion = z.infer<typeof RejectedGrantQuestion>;
