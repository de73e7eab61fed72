import { accountKey, accountStream, type StreamHead } from '#libs/contracts';
import { foldEntry, newAccountFold, type AccountFold } from './account-fold.js';
import { rowsOf, type AccountTables, type Ids } from './account-tables.js';
import { compareBooks } from './book-keeping.js';
import { eventText } from '../coordinates.js';
import {
  rowDifference,
  expectedAccountRow,
  grantKey,
  rejectedGrantKey,
  rejectionTotalKey,
  snapshotKey,
  usageTotalKey,
} from './expected-rows.js';
import type { Check, Findings, Mismatch } from './findings.js';
import type { Cursor } from '../read-view.js';
import type { StreamHeads } from './stream-heads.js';
import type { TenantPriceBooks } from './tenant-price-books.js';

/** What the rows of an account are compared with, and where it is reported. */
interface AccountAudit {
  readonly tables: AccountTables;
  readonly schema: string;
  readonly streams: StreamHeads;
  readonly price_books: TenantPriceBooks;
  readonly findings: Findings;
  /** Told of every entry. */
  readonly on_entry: () => void;
}

/**
 * Compares the entries of one account with its stream, and its other rows with the fold of its
 * entries. Takes its rows out of all tables. Returns the fold; undefined when it is no whole one.
 */
export async function checkAccount(
  ids: Ids,
  audit: AccountAudit,
): Promise<AccountFold | undefined> {
  const { tables, streams, findings } = audit;
  const stream = accountStream(accountKey(ids.tenant_id, ids.account_id));
  const head = streams.heads.get(stream);
  streams.heads.delete(stream);
  const fold = await foldEntries(ids, stream, audit);
  const fault = fold && faultAgainstStream(fold, head, stream, audit);
  const whole = fold && !fault && !streams.broken.has(stream) ? fold : undefined;
  if (whole) await checkRows(whole, stream, audit);
  if (fault && !streams.broken.has(stream)) findings.add(fault);
  for (const cursor of Object.values(tables)) {
    for await (const _left of rowsOf<Ids>(cursor, ids)) continue; // compared with nothing
  }
  return whole;
}

const placeOf = (
  { schema }: AccountAudit,
  table: string,
  { tenant_id, account_id }: Ids,
  ...key: (string | number | bigint)[]
): string => `${schema}.${table}(${[tenant_id, account_id, ...key].join(', ')})`;

async function foldEntries(
  ids: Ids,
  stream: string,
  audit: AccountAudit,
): Promise<AccountFold | undefined> {
  const fold = newAccountFold(ids);
  for await (const row of rowsOf(audit.tables.entries, ids)) {
    const left = eventText(stream, fold.head.revision + 1);
    const right = placeOf(audit, 'entries', ids, row.revision);
    const folded = foldEntry(fold, row, audit.price_books);
    if (folded.kind === 'broken') {
      audit.findings.add({ ...folded.fault, left, right });
      return undefined;
    }
    for (const fault of folded.faults) audit.findings.add({ ...fault, left, right });
    audit.on_entry();
  }
  return fold;
}

/** Equal chains at equal revisions: every event before is the same, byte for byte. */
function faultAgainstStream(
  { account, head: entries }: AccountFold,
  head: StreamHead | undefined,
  stream: string,
  audit: AccountAudit,
): Mismatch | undefined {
  if (head === undefined) {
    const detail = 'the read models have rows of no stream';
    const right = placeOf(audit, 'accounts', account);
    return { check: 'account_without_stream', detail, left: stream, right };
  }
  if (entries.revision < head.revision) {
    const detail = `the stream goes on to ${head.revision}, the entries end at ${entries.revision}`;
    const at = entries.revision + 1;
    const right = placeOf(audit, 'entries', account, at);
    return { check: 'entry_missing', detail, left: eventText(stream, at), right };
  }
  if (entries.revision === head.revision && entries.chain === head.chain) return undefined;
  const detail = `the stream ends at ${head.revision} with the chain ${head.chain}`;
  const left = eventText(stream, head.revision);
  const right = placeOf(audit, 'entries', account, entries.revision);
  return { check: 'entry_differs', detail, left, right };
}

async function checkRows(fold: AccountFold, stream: string, audit: AccountAudit): Promise<void> {
  const { tables, findings } = audit;
  const { account, head, rows } = fold;
  const left = eventText(stream, head.revision);
  const detail = compareBooks(fold.books, account);
  if (detail !== undefined) {
    const right = placeOf(audit, 'accounts', account);
    findings.add({ check: 'credits_not_conserved', detail, left, right });
  }
  const compare = async <Row extends Ids>(
    [check, table]: readonly [Check, string],
    cursor: Cursor<Row>,
    rows_expected: ReadonlyMap<string, Row>,
    keyOf: (row: Row) => string,
  ) => {
    const add = (what: string, key: string) => {
      const right = placeOf(audit, table, account, ...key.split('/').filter(Boolean));
      findings.add({ check, detail: what, left, right });
    };
    const expected = new Map(rows_expected);
    for await (const row of rowsOf(cursor, account)) {
      const key = keyOf(row);
      const should_be = expected.get(key);
      expected.delete(key);
      const differs = should_be ? rowDifference(should_be, row) : 'a row that no event makes';
      if (differs !== undefined) add(differs, key);
    }
    for (const key of expected.keys()) add('the row is missing', key);
  };
  const account_row = new Map([['', expectedAccountRow(account, head)]]);
  const { usage_totals, grants, rejection_totals, rejected_grants, snapshots } = rows;
  await compare(['account_differs', 'accounts'], tables.accounts, account_row, () => '');
  await compare(
    ['usage_total_differs', 'usage_totals'],
    tables.usage_totals,
    usage_totals,
    usageTotalKey,
  );
  await compare(['grant_differs', 'grants'], tables.grants, grants, grantKey);
  await compare(
    ['rejection_total_differs', 'rejection_totals'],
    tables.rejection_totals,
    rejection_totals,
    rejectionTotalKey,
  );
  await compare(
    ['rejected_grant_differs', 'rejected_grants'],
    tables.rejected_grants,
    rejected_grants,
    rejectedGrantKey,
  );
  await compare(['snapshot_differs', 'snapshots'], tables.snapshots, snapshots, snapshotKey);
}
