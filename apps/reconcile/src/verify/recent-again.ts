import { ACCOUNT_STREAM_PREFIX, decodeAccountEvent, InvariantBroken } from '#libs/contracts';
import type { EventReader, RecordedEvent } from '#libs/event-store';
import { evolve, initialAccount, type Account } from '#libs/ledger';
import { eventText } from '../coordinates.js';
import { decidedOtherwise } from './decide-again.js';
import type { Findings } from './findings.js';
import type { Recent } from './stream-check.js';
import type { TenantPriceBooks } from './tenant-price-books.js';

const BATCH = 2_000;

/** By stream, as the read models hold it; undefined where they do not hold it whole. */
export type ProjectedAccounts = Map<string, Account | undefined>;

interface RecentAgainAudit {
  readonly accounts: ProjectedAccounts;
  /** Streams that are broken, which are not looked at. */
  readonly broken: Set<string>;
  readonly price_books: TenantPriceBooks;
  readonly findings: Findings;
}

/** Decides again what the read models do not hold yet, on the accounts as they hold them. */
export async function decideRecentAgain(
  store: Pick<EventReader, 'readAll'>,
  after: string | null,
  { until }: Pick<Recent, 'until'>,
  audit: RecentAgainAudit,
): Promise<void> {
  if (until === null) return;
  const range = { prefix: ACCOUNT_STREAM_PREFIX, after, until, batch_size: BATCH };
  for await (const batch of store.readAll(range)) {
    for (const recorded of batch) decideOneAgain(recorded, audit);
  }
}

function decideOneAgain(
  { stream, revision, data }: RecordedEvent,
  { accounts, broken, price_books, findings }: RecentAgainAudit,
): void {
  const is_partial = accounts.has(stream) && accounts.get(stream) === undefined;
  if (is_partial || broken.has(stream)) return;
  const left = eventText(stream, revision);
  try {
    const event = decodeAccountEvent(data);
    const account = accounts.get(stream) ?? initialAccount(event.tenant_id, event.account_id);
    accounts.set(stream, account);
    const detail = decidedOtherwise(event, data, account, price_books);
    if (detail) findings.add({ check: 'decision_differs', detail, left, right: null });
    evolve(account, event);
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    findings.add({ check: 'fold_broken', detail: error.message, left, right: null });
    broken.add(stream);
  }
}
