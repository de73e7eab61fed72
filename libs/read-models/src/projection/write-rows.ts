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
 * left running beside a newer one writes nothing: it would leave the newer tables out.
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
  select e.* from moved,
    unnest($7::text[], $8::text[], $9::int8[], $10::uuid[], $11::bytea[], $12::text[]) e),
accounts as (
  insert into ${s}.accounts as a (tenant_id, account_id, revision, available, reserved, chain,
                                  state, state_version, next_due_at)
  select n.tenant_id, n.account_id, n.revision, n.available, n.reserved, n.chain,
         n.state, $6::int, n.next_due_at::timestamptz
  from moved,
    unnest($13::text[], $14::text[], $15::int8[], $16::int8[], $17::int8[], $18::bytea[],
           $19::text[], $20::text[])
      n(tenant_id, account_id, revision, available, reserved, chain, state, next_due_at)
  on conflict (tenant_id, account_id) do update
  set revision = excluded.revision, available = excluded.available, reserved = excluded.reserved,
      chain = excluded.chain, state = excluded.state, state_version = excluded.state_version,
      next_due_at = excluded.next_due_at),
usage_totals as (
  insert into ${s}.usage_totals as t (tenant_id, account_id, period, day, operation,
                                      price_book_version, lines, quantity, credits)
  select n.tenant_id, n.account_id, n.period, n.day::date, n.operation,
         n.price_book_version, n.lines, n.quantity, n.credits
  from moved,
    unnest($21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[],
           $27::int8[], $28::int8[], $29::int8[])
      n(tenant_id, account_id, period, day, operation, price_book_version, lines, quantity, credits)
  on conflict (tenant_id, account_id, period, day, operation, price_book_version) do update
  set lines = t.lines + excluded.lines, quantity = t.quantity + excluded.quantity,
      credits = t.credits + excluded.credits),
grants as (
  insert into ${s}.grants (tenant_id, account_id, period, revision, grant_id, kind, credits,
                           paid_amount_minor, paid_currency, recorded_at)
  select n.tenant_id, n.account_id, n.period, n.revision, n.grant_id, n.kind, n.credits,
         n.paid_amount_minor, n.paid_currency, n.recorded_at::timestamptz
  from moved,
    unnest($30::text[], $31::text[], $32::text[], $33::int8[], $34::text[], $35::text[],
           $36::int8[], $37::int8[], $38::text[], $39::text[])
      n(tenant_id, account_id, period, revision, grant_id, kind, credits, paid_amount_minor,
        paid_currency, recorded_at)),
snapshots as (
  insert into ${s}.snapshots (tenant_id, account_id, revision, state, state_version)
  select n.*, $6::int
  from moved, unnest($40::text[], $41::text[], $42::int8[], $43::text[]) n),
rejection_totals as (
  insert into ${s}.rejection_totals as t (tenant_id, account_id, period, day, reason, operation,
                                          requests, first_of_requests, lines, quantity, credits)
  select n.tenant_id, n.account_id, n.period, n.day::date, n.reason, n.operation,
         n.requests, n.first_of_requests, n.lines, n.quantity, n.credits
  from moved,
    unnest($44::text[], $45::text[], $46::text[], $47::text[], $48::text[], $49::text[],
           $50::int8[], $51::int8[], $52::int8[], $53::int8[], $54::int8[])
      n(tenant_id, account_id, period, day, reason, operation, requests, first_of_requests, lines,
        quantity, credits)
  on conflict (tenant_id, account_id, period, day, reason, operation) do update
  set requests = t.requests + excluded.requests,
      first_of_requests = t.first_of_requests + excluded.first_of_requests,
      lines = t.lines + excluded.lines, quantity = t.quantity + excluded.quantity,
      credits = t.credits + excluded.credits),
rejected_grants as (
  insert into ${s}.rejected_grants (tenant_id, account_id, revision, request_id, reason, kind,
                                    asked_credits, paid_amount_minor, paid_currency, occurred_at,
                                    recorded_at)
  select n.tenant_id, n.account_id, n.revision, n.request_id, n.reason, n.kind, n.asked_credits,
         n.paid_amount_minor, n.paid_currency, n.occurred_at::timestamptz,
         n.recorded_at::timestamptz
  from moved,
    unnest($55::text[], $56::text[], $57::int8[], $58::text[], $59::text[], $60::text[],
           $61::int8[], $62::int8[], $63::text[], $64::text[], $65::text[])
      n(tenant_id, account_id, revision, request_id, reason, kind, asked_credits,
        paid_amount_minor, paid_currency, occurred_at, recorded_at))
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
