import type { Migration } from '#libs/platform';

/**
 * The read models. Ids are compared by their bytes (collation "C"), so that order and uniqueness do not
 * depend on the server's language. Rows that are updated leave room on their page (fillfactor), so
 * that no update touches an index.
 */
export const READ_MIGRATIONS: readonly Migration[] = [
  {
    name: 'read-models',
    sql: `
create table checkpoint (
  name text primary key,
  position text,
  event_id uuid,
  recorded_at timestamptz,
  events bigint not null default 0
) with (fillfactor = 10);
comment on table checkpoint is 'The last event in these tables; written in the same transaction.';
insert into checkpoint (name) values ('ledger');

create table accounts (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  revision bigint not null,
  available bigint not null check (available >= 0),
  reserved bigint not null check (reserved >= 0),
  chain bytea not null,
  state_version int not null,
  state text not null,
  next_due_at timestamptz,
  primary key (tenant_id, account_id)
) with (fillfactor = 50);
comment on table accounts is 'Balance and folded state of each account at its revision.';
create index accounts_due on accounts (next_due_at) where next_due_at is not null;

create table entries (
  revision bigint not null,
  key uuid,
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  chain bytea not null,
  data text not null,
  primary key (tenant_id, account_id, revision)
);
comment on table entries is 'The statement: every event of every account as it was recorded.';
comment on column entries.key is
  'First 16 bytes of SHA-256(tenant NUL account NUL request id); null for what fell due.';
create unique index entries_key on entries (key) where key is not null;
alter table entries alter column data set storage external;

create table usage_totals (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  period text collate "C" not null,
  day date not null,
  operation text collate "C" not null,
  price_book_version text collate "C" not null,
  lines bigint not null,
  quantity numeric not null,
  credits numeric not null,
  primary key (tenant_id, account_id, period, day, operation, price_book_version)
) with (fillfactor = 50);
comment on table usage_totals is
  'What was consumed: booked period, day of occurred_at, operation, price version.';
create index usage_totals_day on usage_totals (tenant_id, day);

create table grants (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  period text collate "C" not null,
  revision bigint not null,
  grant_id text collate "C" not null,
  kind text not null,
  credits bigint not null,
  paid_amount_minor bigint,
  paid_currency text,
  recorded_at timestamptz not null,
  primary key (tenant_id, account_id, period, revision)
);
comment on table grants is 'Credits that were granted, by booked period; paid ones are purchases.';

create table snapshots (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  revision bigint not null,
  state_version int not null,
  state text not null,
  primary key (tenant_id, account_id, revision)
);
comment on table snapshots is
  'Folded state at every thousandth revision: a look into the past folds fewer events than that.';
`,
  },
  {
    // Tables that hold events already are filled from them, as the projection would have done.
    name: 'rejections',
    sql: `
lock table checkpoint in exclusive mode;

create table rejection_totals (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  period text collate "C" not null,
  day date not null,
  reason text collate "C" not null,
  operation text collate "C" not null,
  requests bigint not null,
  first_of_requests bigint not null,
  lines bigint not null,
  quantity numeric not null,
  credits numeric not null,
  primary key (tenant_id, account_id, period, day, reason, operation)
) with (fillfactor = 50);
comment on table rejection_totals is
  'Usage that was rejected: period and day of occurred_at, reason, operation.';
comment on column rejection_totals.requests is 'Requests with a line of this operation.';
comment on column rejection_totals.first_of_requests is
  'Requests whose first line is of this operation: summed over operations, each request counts once.';
comment on column rejection_totals.credits is 'What it would have cost, as far as it was priced.';
create index rejection_totals_day on rejection_totals (tenant_id, day);

create table rejected_grants (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  revision bigint not null,
  request_id text collate "C" not null,
  reason text not null,
  kind text not null,
  asked_credits bigint not null,
  paid_amount_minor bigint,
  paid_currency text,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  primary key (tenant_id, account_id, revision)
);
comment on table rejected_grants is 'Grants that were rejected; what was paid for one is owed back.';
create index rejected_grants_time
  on rejected_grants (tenant_id, occurred_at, account_id, revision);

insert into rejection_totals
select tenant_id, account_id, event ->> 'period', left(event ->> 'occurred_at', 10)::date,
       event ->> 'reason', line ->> 'operation', count(distinct revision),
       count(*) filter (where place = 1), count(*), sum((line ->> 'quantity')::numeric),
       coalesce(sum((line ->> 'credits')::numeric), 0)
from (select tenant_id, account_id, revision, data::json as event
      from entries where data like '{"type":"UsageRejected",%') rejected
cross join lateral json_array_elements(
  case json_array_length(event -> 'lines') when 0 then event -> 'items' else event -> 'lines' end
) with ordinality listed(line, place)
group by 1, 2, 3, 4, 5, 6;

insert into rejected_grants
select tenant_id, account_id, revision, event ->> 'request_id', event ->> 'reason',
       event ->> 'kind', (event ->> 'asked_credits')::bigint,
       (event -> 'paid' ->> 'amount_minor')::bigint, event -> 'paid' ->> 'currency',
       (event ->> 'occurred_at')::timestamptz, (event ->> 'recorded_at')::timestamptz
from (select tenant_id, account_id, revision, data::json as event
      from entries where data like '{"type":"GrantRejected",%') rejected;
`,
  },
];
