import type { Migration } from '#libs/platform';

/** What is not a fold of the streams, and therefore lies outside the schema that is rebuilt. */
export const OPERATIONS_MIGRATIONS: readonly Migration[] = [
  {
    name: 'operations',
    sql: `
create table dead_letters (
  id bigint generated always as identity,
  topic text collate "C" not null,
  partition int not null,
  "offset" bigint not null,
  tenant_id text collate "C",
  key bytea,
  value bytea,
  headers json not null,
  reason text not null,
  detail text not null,
  timestamp timestamptz not null,
  filed_at timestamptz not null default now(),
  redriven_at timestamptz,
  primary key (topic, partition, "offset"),
  unique (id)
);
comment on table dead_letters is 'Messages that were not decided, each once, by coordinate.';
comment on column dead_letters.tenant_id is 'Who may see it; null: only who operates the ledger.';
create index dead_letters_tenant on dead_letters (tenant_id, id);

create table parked_accounts (
  tenant_id text collate "C" not null,
  account_id text collate "C" not null,
  reason text not null,
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  parked_at timestamptz not null default now(),
  primary key (tenant_id, account_id)
);
comment on table parked_accounts is
  'Accounts whose requests are set aside: deciding the one at this coordinate failed.';
`,
  },
  {
    name: 'set aside',
    sql: `
create table set_aside (
  timestamp timestamptz not null,
  topic text collate "C" not null,
  partition int not null,
  "offset" bigint not null,
  set_aside_at timestamptz not null default now(),
  primary key (timestamp, topic, partition, "offset")
);
comment on table set_aside is
  'Requests that the broker stamped far ahead, each by coordinate and stamp: no writer decides them.';
`,
  },
  {
    name: 'dismissed dead letters',
    sql: `
alter table dead_letters
  add column dismissed_at timestamptz,
  add column dismissed_by text,
  add column dismissed_why text;
comment on column dead_letters.dismissed_at is 'When a person said that nothing is left to be done.';
create index dead_letters_open on dead_letters (id)
  where redriven_at is null and dismissed_at is null;
`,
  },
];
