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
];
