import { accountKey, accountStream } from '#libs/contracts';
import { invoicesIn } from '#libs/read-models';
import type { Output } from '../output.js';
import { checkAccount } from './account-check.js';
import type { AccountFold } from './account-fold.js';
import { nextAccount, openAccountTables } from './account-tables.js';
import type { VerifiedCheckpoint } from '../checkpoint.js';
import type { Findings } from './findings.js';
import { checkInvoices, type InvoiceSums } from './invoice-check.js';
import type { ReadView } from '../read-view.js';
import type { ProjectedAccounts } from './recent-again.js';
import type { StreamHeads } from './stream-heads.js';
import type { TenantPriceBooks } from './tenant-price-books.js';

/** What the read models come to. */
export interface ReadModelSums {
  accounts: number;
  entries: number;
  usage_totals: number;
  grants: number;
  rejection_totals: number;
  rejected_grants: number;
  snapshots: number;
  granted: bigint;
  consumed: bigint;
  expired: bigint;
  available: bigint;
  reserved: bigint;
  readonly invoices: InvoiceSums;
}

/** What the read models are compared with. */
interface ReadModelAudit {
  readonly view: ReadView;
  readonly schema: string;
  readonly streams: StreamHeads;
  readonly price_books: TenantPriceBooks;
  /** Streams that go on after what the read models hold. */
  readonly ahead: ReadonlySet<string>;
  readonly findings: Findings;
}

/**
 * Compares every row of the read models with the streams, one account at a time, and every invoice
 * with the account's events. What is left in `streams.heads` has no rows. Returns the accounts of those
 * streams that go on, too.
 */
export async function checkReadModels(
  { view, schema, streams, price_books, ahead, findings }: ReadModelAudit,
  checkpoint: VerifiedCheckpoint,
  out: Output,
): Promise<{ sums: ReadModelSums; accounts: ProjectedAccounts }> {
  const sums: ReadModelSums = {
    accounts: 0,
    entries: 0,
    usage_totals: 0,
    grants: 0,
    rejection_totals: 0,
    rejected_grants: 0,
    snapshots: 0,
    granted: 0n,
    consumed: 0n,
    expired: 0n,
    available: 0n,
    reserved: 0n,
    invoices: { invoices: 0, lines: 0, credits: 0n, purchases: 0 },
  };
  const tables = await openAccountTables(view, schema);
  const progress = out.progress('read models', checkpoint.events);
  const on_entry = () => {
    sums.entries += 1;
    progress.at(sums.entries, `${sums.accounts} accounts`);
  };
  const audit = { tables, schema, streams, price_books, findings, on_entry };
  const accounts: ProjectedAccounts = new Map();
  for (let ids = nextAccount(tables); ids; ids = nextAccount(tables)) {
    sums.accounts += 1;
    const fold = await checkAccount(ids, audit);
    const stream = accountStream(accountKey(ids.tenant_id, ids.account_id));
    if (ahead.has(stream)) accounts.set(stream, fold?.account);
    if (fold === undefined) continue;
    addAccount(sums, fold);
    const { tenant_id, account_id } = ids;
    const invoices = await invoicesIn(view.client, tenant_id, account_id, schema);
    checkInvoices(ids, invoices ?? [], fold.rows, sums.invoices, findings);
  }
  progress.stop();
  for (const [stream, { revision }] of streams.heads) {
    accounts.set(stream, undefined);
    if (streams.broken.has(stream)) continue;
    const detail = 'the stream has no rows in the read models';
    const left = `${stream}@${revision}`;
    findings.add({ check: 'account_missing', detail, left, right: `${schema}.accounts` });
  }
  return { sums, accounts };
}

function addAccount(sums: ReadModelSums, { account, books, rows }: AccountFold): void {
  sums.usage_totals += rows.usage_totals.size;
  sums.grants += rows.grants.size;
  sums.rejection_totals += rows.rejection_totals.size;
  sums.rejected_grants += rows.rejected_grants.size;
  sums.snapshots += rows.snapshots.size;
  sums.granted += books.granted;
  sums.consumed += books.consumed;
  sums.expired += books.expired;
  sums.available += account.available;
  sums.reserved += account.reserved;
}
