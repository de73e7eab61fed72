import { accountKeyOfStream, followLink, type AccountKey } from '#libs/contracts';
import { encodeAccount, evolve } from '#libs/ledger';
import { entryKey } from '../entry-key.js';
import type { FoldedAccount } from './folded-account.js';
import { brokenAt, readStoredEvent, type StoredEvent } from './projected-event.js';
import { addToRejections } from './rejection-totals.js';
import { newRows, type Rows } from './rows.js';
import { addToTotals } from './usage-totals.js';

/** So many events make one snapshot. */
export const SNAPSHOT_INTERVAL = 1_000;

/**
 * Folds a batch into its accounts and returns the rows that follow from it. An event that an account
 * has already is set aside as repeated, without any effect. Throws InvariantBroken for a gap, a broken
 * chain, and an event that cannot be read or contradicts its account; the accounts are then unusable.
 */
export function foldBatch(
  accounts: ReadonlyMap<AccountKey, FoldedAccount>,
  batch: readonly StoredEvent[],
): Rows {
  const rows = newRows();
  const changed = new Set<FoldedAccount>();
  for (const stored of batch) {
    const folded = accounts.get(accountKeyOfStream(stored.stream))!;
    if (stored.revision <= folded.head.revision) {
      rows.repeated.push(stored);
      continue;
    }
    try {
      foldEvent(folded, stored, rows);
    } catch (error) {
      throw brokenAt(stored, error);
    }
    changed.add(folded);
    rows.last = stored;
  }
  for (const folded of changed) rows.accounts.push(accountRow(folded));
  return rows;
}

function foldEvent(folded: FoldedAccount, stored: StoredEvent, rows: Rows): void {
  const head = followLink(folded.head, stored);
  const event = readStoredEvent(stored);
  const { tenant_id, account_id } = event;
  const { revision, chain } = head;
  evolve(folded.account, event);
  folded.head = head;
  rows.recorded_at = event.recorded_at;

  const key = 'request_id' in event ? entryKey(tenant_id, account_id, event.request_id) : null;
  rows.entries.push({ tenant_id, account_id, revision, key, chain, data: stored.data });
  switch (event.type) {
    case 'UsageConsumed':
      addToTotals(rows.usage_totals, event);
      break;
    case 'CreditsGranted':
      rows.grants.push({ ...event, revision });
      break;
    case 'UsageRejected':
      addToRejections(rows.rejection_totals, event);
      break;
    case 'GrantRejected':
      rows.rejected_grants.push({ ...event, revision });
      break;
    case 'GrantActivated':
    case 'CreditsExpired':
      break;
  }
  if ((revision + 1) % SNAPSHOT_INTERVAL === 0) {
    const state = encodeAccount(folded.account);
    rows.snapshots.push({ tenant_id, account_id, revision, state });
  }
}

const accountRow = ({ account, head }: FoldedAccount): Rows['accounts'][number] => ({
  tenant_id: account.tenant_id,
  account_id: account.account_id,
  revision: head.revision,
  available: account.available,
  reserved: account.reserved,
  chain: head.chain,
  state: encodeAccount(account),
  next_due_at: account.next_due_at,
});
