import type { Pool } from 'pg';
import {
  epochMsOf,
  instantOf,
  type Credits,
  type GrantKind,
  type GrantRejectionReason,
  type Instant,
  type Paid,
} from '#libs/contracts';
import { inOneView } from '../one-view.js';
import { keyOfCursor, limitOf, pageOf, type Page, type PageRequest } from '../page.js';
import { READ_SCHEMA, schemaName } from '../schema.js';
import { projectedRevision } from './balance.js';

export interface RejectedGrantQuestion extends PageRequest {
  /** First day (`2026-01-31`, UTC, of occurred_at) that counts, and the first that no longer does. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly account_id?: string | undefined;
  /** Only those that somebody paid for, or only the others. Default: all. */
  readonly paid?: boolean | undefined;
}

/** A grant that was rejected. What was paid for it is owed back, or must be granted anew. */
interface RejectedGrant {
  readonly account_id: string;
  readonly request_id: string;
  readonly reason: GrantRejectionReason;
  readonly kind: GrantKind;
  readonly asked_credits: Credits;
  readonly paid: Paid | null;
  readonly occurred_at: Instant;
  readonly recorded_at: Instant;
  readonly revision: number;
}

interface RejectedGrantPage extends Page<RejectedGrant> {
  /** The account's revision that is shown, when it is of one account. */
  readonly revision?: number;
}

type Row = Omit<RejectedGrant, 'paid' | 'revision'> & {
  revision: bigint;
  amount_minor: bigint | null;
  currency: string | null;
};

/** Milliseconds since 1970, account, revision. */
const KEY = /^\d{1,14}\/[A-Za-z0-9_.:@-]{1,128}\/\d{1,15}$/;

/** The latest occurred_at first. Undefined for an unknown account. */
export const rejectedGrants = (
  pool: Pool,
  tenant_id: string,
  question: RejectedGrantQuestion = {},
  schema: string = READ_SCHEMA,
): Promise<RejectedGrantPage | undefined> =>
  inOneView(pool, async (client) => {
    const { from, to, account_id, paid } = question;
    const limit = limitOf(question);
    const [epoch_ms, account, revision] = keyOfCursor(question, KEY)?.split('/') ?? [];
    const shown =
      account_id === undefined
        ? {}
        : { revision: await projectedRevision(client, tenant_id, account_id, schema) };
    if (shown.revision === -1) return undefined;
    const { rows } = await client.query<Row>(
      `select account_id, request_id, reason, kind, asked_credits,
              paid_amount_minor as amount_minor, paid_currency as currency, occurred_at,
              recorded_at, revision
       from ${schemaName(schema)}.rejected_grants
       where tenant_id = $1
         and ($2::date is null or occurred_at >= $2::date::timestamp at time zone 'UTC')
         and ($3::date is null or occurred_at < $3::date::timestamp at time zone 'UTC')
         and ($4::text is null or account_id = $4)
         and ($5::boolean is null or (paid_currency is not null) = $5)
         and ($6::timestamptz is null
              or (occurred_at, account_id, revision) < ($6::timestamptz, $7::text, $8::int8))
       order by occurred_at desc, account_id desc, revision desc limit $9::int8`,
      [
        tenant_id,
        from ?? null,
        to ?? null,
        account_id ?? null,
        paid ?? null,
        epoch_ms === undefined ? null : instantOf(Number(epoch_ms)),
        account ?? null,
        revision ?? null,
        limit + 1,
      ],
    );
    const page = pageOf(rows.map(rejectedGrantOf), limit, keyOf);
    return { ...page, ...shown };
  });

const keyOf = ({ occurred_at, account_id, revision }: RejectedGrant): string =>
  `${epochMsOf(occurred_at)}/${account_id}/${revision}`;

function rejectedGrantOf({ amount_minor, currency, revision, ...row }: Row): RejectedGrant {
  const paid = currency === null ? null : { amount_minor: Number(amount_minor), currency };
  return { ...row, paid, revision: Number(revision) };
}
