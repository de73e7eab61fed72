import type { Pool } from 'pg';
import { STATE_VERSION } from '#libs/ledger';
import { hexArray, int8Array, textArray, uuidArray } from '#libs/platform';
import type { Checkpoint } from '../checkpoint.js';
import { hasOwnTables, schemaName } from '../schema.js';
import type { RejectionTotal } from './rejection-totals.js';
import type { Rows } from './rows.js';
import type { UsageTotal } from './usage-totals.js';

/**
 * One statement and so one transaction: the checkpoint moves from exactly where this projection left
 * it, and only then is anything written. Two projectors meet at the checkpoint's row lock. One that was
 * left running beside a newer one writes nothing: it would leave the newer tables out. The arrays are
 * unnested side by side in the select list: in `from`, each would be written out as a table of its own.
 */
const writeSql = (s: string) => `
with moved as (
  update ${s}.checkpoint c
  set position = $1::text, event_id = $2::uuid, recorded_at = $3::timestamptz,
      events = c.events + cardinality($7::text[])
  where c.name = 'ledger'
    and c.position is not distinct from $4::text and c.event_id is not distinct from $5::uuid
    and ${hasOwnTables(s)}
  returning true),
entries as (
  insert into ${s}.entries (tenant_id, account_id, revision, key, chain, data)
  select unnest($7::text[]), unnest($8::text[]), unnest($9::int8[]), unnest($10::uuid[]),
         unnest($11::bytea[]), unnest($12::text[])
  from moved),
accounts as (
  insert into ${s}.accounts (tenant_id, account_id, revision, available, reserved, chain, state,
                             state_version, next_due_at)
  select unnest($13::text[]), unnest($14::text[]), unnest($15::int8[]), unnest($16::int8[]),
         unnest($17::int8[]), unnest($18::bytea[]), unnest($19::text[]),
         $6::int, unnest($20::text[])::timestamptz
  from moved
  on conflict (tenant_id, account_id) do update
  set revision = excluded.revision, available = excluded.available, reserved = excluded.reserved,
      chain = excluded.chain, state = excluded.state, state_version = excluded.state_version,
      next_due_at = excluded.next_due_at),
usage_totals as (
  insert into ${s}.usage_totals as t (tenant_id, account_id, period, day, operation,
                                      price_book_version, lines, quantity, credits)
  select unnest($21::text[]), unnest($22::text[]), unnest($23::text[]), unnest($24::text[])::date,
         unnest($25::text[]), unnest($26::text[]),
         unnest($27::int8[]), unnest($28::int8[]), unnest($29::int8[])
  from moved
  on conflict (tenant_id, account_id, period, day, operation, price_book_version) do update
  set lines = t.lines + excluded.lines, quantity = t.quantity + excluded.quantity,
      credits = t.credits + excluded.credits),
grants as (
  insert into ${s}.grants (tenant_id, account_id, period, revision, grant_id, kind, credits,
                           paid_amount_minor, paid_currency, recorded_at)
  select unnest($30::text[]), unnest($31::text[]), unnest($32::text[]), unnest($33::int8[]),
         unnest($34::text[]), unnest($35::text[]), unnest($36::int8[]),
         unnest($37::int8[]), unnest($38::text[]), unnest($39::text[])::timestamptz
  from moved),
snapshots as (
  insert into ${s}.snapshots (tenant_id, account_id, revision, state, state_version)
  select unnest($40::text[]), unnest($41::text[]), unnest($42::int8[]), unnest($43::text[]), $6::int
  from moved),
rejection_totals as (
  insert into ${s}.rejection_totals as t (tenant_id, account_id, period, day, reason, operation,
                                          requests, first_of_requests, lines, quantity, credits)
  select unnest($44::text[]), unnest($45::text[]), unnest($46::text[]), unnest($47::text[])::date,
         unnest($48::text[]), unnest($49::text[]),
         unnest($50::int8[]), unnest($51::int8[]), unnest($52::int8[]), unnest($53::int8[]),
         unnest($54::int8[])
  from moved
  on conflict (tenant_id, account_id, period, day, reason, operation) do update
  set requests = t.requests + excluded.requests,
      first_of_requests = t.first_of_requests + excluded.first_of_requests,
      lines = t.lines + excluded.lines, quantity = t.quantity + excluded.quantity,
      credits = t.credits + excluded.credits),
rejected_grants as (
  insert into ${s}.rejected_grants (tenant_id, account_id, revision, request_id, reason, kind,
                                    asked_credits, paid_amount_minor, paid_currency, occurred_at,
                                    recorded_at)
  select unnest($55::text[]), unnest($56::text[]), unnest($57::int8[]), unnest($58::text[]),
         unnest($59::text[]), unnest($60::text[]), unnest($61::int8[]),
         unnest($62::int8[]), unnest($63::text[]), unnest($64::text[])::timestamptz,
         unnest($65::text[])::timestamptz
  from moved)
select from moved`;

/** False when the checkpoint stands elsewhere, or the tables are a newer program's: nothing was written. */
export async function writeRows(
  pool: Pool,
  schema: string,
  rows: Rows,
  { from, to }: { from: Checkpoint | null; to: Checkpoint },
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: `${schemaName(schema)}.write`,
    text: writeSql(schema),
    values: [
      to.position,
      to.event_id,
      rows.recorded_at,
      from?.position ?? null,
      from?.event_id ?? null,
      STATE_VERSION,
      ...entryColumns(rows.entries),
      ...accountColumns(rows.accounts),
      ...totalColumns([...rows.usage_totals.values()]),
      ...grantColumns(rows.grants),
      ...snapshotColumns(rows.snapshots),
      ...rejectionColumns([...rows.rejection_totals.values()]),
      ...rejectedGrantColumns(rows.rejected_grants),
    ],
  });
  return rowCount === 1;
}

const entryColumns = (entries: Rows['entries']): Buffer[] => [
  textArray(entries.map((entry) => entry.tenant_id)),
  textArray(entries.map((entry) => entry.account_id)),
  int8Array(entries.map((entry) => entry.revision)),
  uuidArray(entries.map((entry) => entry.key)),
  hexArray(entries.map((entry) => entry.chain)),
  textArray(entries.map((entry) => entry.data)),
];

const accountColumns = (accounts: Rows['accounts']): Buffer[] => [
  textArray(accounts.map((account) => account.tenant_id)),
  textArray(accounts.map((account) => account.account_id)),
  int8Array(accounts.map((account) => account.revision)),
  int8Array(accounts.map((account) => account.available)),
  int8Array(accounts.map((account) => account.reserved)),
  hexArray(accounts.map((account) => account.chain)),
  textArray(accounts.map((account) => account.state)),
  textArray(accounts.map((account) => account.next_due_at)),
];

const totalColumns = (totals: readonly UsageTotal[]): Buffer[] => [
  textArray(totals.map((total) => total.tenant_id)),
  textArray(totals.map((total) => total.account_id)),
  textArray(totals.map((total) => total.period)),
  textArray(totals.map((total) => total.day)),
  textArray(totals.map((total) => total.operation)),
  textArray(totals.map((total) => total.price_book_version)),
  int8Array(totals.map((total) => total.lines)),
  int8Array(totals.map((total) => total.quantity)),
  int8Array(totals.map((total) => total.credits)),
];

const grantColumns = (grants: Rows['grants']): Buffer[] => [
  textArray(grants.map((grant) => grant.tenant_id)),
  textArray(grants.map((grant) => grant.account_id)),
  textArray(grants.map((grant) => grant.period)),
  int8Array(grants.map((grant) => grant.revision)),
  textArray(grants.map((grant) => grant.grant_id)),
  textArray(grants.map((grant) => grant.kind)),
  int8Array(grants.map((grant) => grant.credits)),
  int8Array(grants.map((grant) => grant.paid?.amount_minor ?? null)),
  textArray(grants.map((grant) => grant.paid?.currency ?? null)),
  textArray(grants.map((grant) => grant.recorded_at)),
];

const snapshotColumns = (snapshots: Rows['snapshots']): Buffer[] => [
  textArray(snapshots.map((snapshot) => snapshot.tenant_id)),
  textArray(snapshots.map((snapshot) => snapshot.account_id)),
  int8Array(snapshots.map((snapshot) => snapshot.revision)),
  textArray(snapshots.map((snapshot) => snapshot.state)),
];

const rejectionColumns = (totals: readonly RejectionTotal[]): Buffer[] => [
  textArray(totals.map((total) => total.tenant_id)),
  textArray(totals.map((total) => total.account_id)),
  textArray(totals.map((total) => total.period)),
  textArray(totals.map((total) => total.day)),
  textArray(totals.map((total) => total.reason)),
  textArray(totals.map((total) => total.operation)),
  int8Array(totals.map((total) => total.requests)),
  int8Array(totals.map((total) => total.first_of_requests)),
  int8Array(totals.map((total) => total.lines)),
  int8Array(totals.map((total) => total.quantity)),
  int8Array(totals.map((total) => total.credits)),
];

const rejectedGrantColumns = (grants: Rows['rejected_grants']): Buffer[] => [
  textArray(grants.map((grant) => grant.tenant_id)),
  textArray(grants.map((grant) => grant.account_id)),
  int8Array(grants.map((grant) => grant.revision)),
  textArray(grants.map((grant) => grant.request_id)),
  textArray(grants.map((grant) => grant.reason)),
  textArray(grants.map((grant) => grant.kind)),
  int8Array(grants.map((grant) => grant.asked_credits)),
  int8Array(grants.map((grant) => grant.paid?.amount_minor ?? null)),
  textArray(grants.map((grant) => grant.paid?.currency ?? null)),
  textArray(grants.map((grant) => grant.occurred_at)),
  textArray(grants.map((grant) => grant.recorded_at)),
];
