import { sql, type Mutation } from './planting.js';

/** What can go wrong between the streams, the read models and the invoices. */
export const TABLE_MUTATIONS: readonly Mutation[] = [
  {
    check: 'checkpoint_differs',
    what: 'another event than the one at the checkpoint',
    plant: sql(`update read.checkpoint set event_id = gen_random_uuid()`),
    left: /^position \d+, event /,
    right: /^read\.checkpoint$/,
  },
  {
    check: 'checkpoint_differs',
    what: 'another number of events',
    plant: sql(`update read.checkpoint set events = events + 1`),
    left: /^position \d+, event /,
    right: /^read\.checkpoint$/,
  },
  ...['revision = 2', 'available = available + 1', 'reserved = 1', `chain = '\\x00'`].map(
    (change): Mutation => ({
      check: 'account_differs',
      what: `an account row with ${change}`,
      plant: sql(`update read.accounts set ${change} where account_id = 'alice'`),
      left: /^account-dev\/alice@3$/,
      right: /^read\.accounts\(dev, alice\)$/,
    }),
  ),
  ...[
    `update read.accounts set state = replace(state, 'g-1', 'g-0') where account_id = 'alice'`,
    `update read.accounts set next_due_at = now() where account_id = 'alice'`,
    `delete from read.accounts where account_id = 'alice'`,
  ].map((statement): Mutation => ({
    check: 'account_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/alice@3$/,
    right: /^read\.accounts\(dev, alice\)$/,
  })),
  {
    check: 'account_missing',
    what: 'a stream without any row',
    plant: sql(
      ...['accounts', 'entries', 'usage_totals', 'grants', 'rejection_totals'].map(
        (table) => `delete from read.${table} where account_id = 'alice'`,
      ),
    ),
    left: /^account-dev\/alice@3$/,
    right: /^read\.accounts$/,
  },
  {
    check: 'account_without_stream',
    what: 'rows of an account that has no stream',
    plant: sql(
      `insert into read.accounts select 'dev', 'mallory', revision, available, reserved, chain,
         state_version, state, next_due_at from read.accounts where account_id = 'alice'`,
    ),
    left: /^account-dev\/mallory$/,
    right: /^read\.accounts\(dev, mallory\)$/,
  },
  ...[
    `update read.entries set data = replace(data, '"quantity":3', '"quantity":2')
     where account_id = 'alice' and revision = 3`,
    `update read.entries set chain = '\\x00' where account_id = 'alice' and revision = 3`,
    `update read.entries set key = gen_random_uuid() where account_id = 'alice' and revision = 3`,
    `update read.entries set key = null where account_id = 'alice' and revision = 3`,
  ].map((statement): Mutation => ({
    check: 'entry_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/alice@3$/,
    right: /^read\.entries\(dev, alice, 3\)$/,
  })),
  ...[2, 3].map((revision): Mutation => ({
    check: 'entry_missing',
    what: `entry ${revision} is not there`,
    plant: sql(`delete from read.entries where account_id = 'alice' and revision = ${revision}`),
    left: new RegExp(`^account-dev/alice@${revision}$`),
    right: /^read\.entries\(dev, alice, \d\)$/,
  })),
  ...[
    `update read.snapshots set state = replace(state, 'g-1', 'g-0')`,
    `delete from read.snapshots`,
    `update read.snapshots set revision = revision + 1`,
  ].map((statement): Mutation => ({
    check: 'snapshot_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/bob@\d+$/,
    right: /^read\.snapshots\(dev, bob, \d+\)$/,
  })),
  ...[
    `update read.usage_totals set lines = lines + 1 where account_id = 'alice'`,
    `update read.usage_totals set quantity = quantity + 1 where account_id = 'alice'`,
    `update read.usage_totals set credits = credits + 1 where account_id = 'alice'`,
    `update read.usage_totals set period = '2025-12' where account_id = 'alice'`,
    `delete from read.usage_totals where account_id = 'alice'`,
  ].map((statement): Mutation => ({
    check: 'usage_total_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/alice@3$/,
    right: /^read\.usage_totals\(dev, alice, /,
  })),
  ...[
    `update read.grants set paid_amount_minor = 1 where paid_currency is not null`,
    `update read.grants set credits = credits + 1 where account_id = 'alice'`,
    `delete from read.grants where account_id = 'alice'`,
    `insert into read.grants select tenant_id, account_id, period, 99, grant_id, kind, credits,
       paid_amount_minor, paid_currency, recorded_at from read.grants
     where account_id = 'alice' limit 1`,
  ].map((statement): Mutation => ({
    check: 'grant_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/alice@3$/,
    right: /^read\.grants\(dev, alice, /,
  })),
  ...[
    ...['requests', 'first_of_requests', 'lines', 'quantity', 'credits'].map(
      (column) => `update read.rejection_totals set ${column} = ${column} + 1`,
    ),
    `update read.rejection_totals set reason = 'unknown_operation'`,
    `delete from read.rejection_totals`,
  ].map((statement): Mutation => ({
    check: 'rejection_total_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/alice@3$/,
    right: /^read\.rejection_totals\(dev, alice, 2026-01, 2026-01-31, /,
  })),
  ...[
    `update read.rejected_grants set paid_amount_minor = 1`,
    `update read.rejected_grants set asked_credits = asked_credits + 1`,
    `delete from read.rejected_grants`,
  ].map((statement): Mutation => ({
    check: 'rejected_grant_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/carol@0$/,
    right: /^read\.rejected_grants\(dev, carol, 0\)$/,
  })),
  ...[
    `update read.usage_totals set credits = credits + 1 where account_id = 'alice'`,
    `delete from read.usage_totals where account_id = 'alice'`,
    `update read.usage_totals set price_book_version = 'other' where account_id = 'alice'`,
    `update read.usage_totals set period = '2025-12' where account_id = 'alice'`,
    `update read.grants set paid_amount_minor = 1 where paid_currency is not null`,
  ].map((statement): Mutation => ({
    check: 'invoice_differs',
    what: statement,
    plant: sql(statement),
    left: /^account-dev\/alice, period 202[56]-/,
    right: /^invoice\(dev, alice, 202[56]-/,
  })),
];
