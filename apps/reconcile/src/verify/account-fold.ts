import {
  decodeAccountEvent,
  GENESIS,
  InvariantBroken,
  nextChain,
  type AccountEvent,
  type StreamHead,
} from '#libs/contracts';
import { evolve, initialAccount, type Account } from '#libs/ledger';
import { entryKey } from '#libs/read-models';
import type { EntryRow, Ids } from './account-tables.js';
import { bookEvent, newBooks, type Books } from './book-keeping.js';
import { expectRows, newExpectedRows, type ExpectedRows } from './expected-rows.js';
import { decidedOtherwise } from './decide-again.js';
import type { Mismatch } from './findings.js';
import type { TenantPriceBooks } from './tenant-price-books.js';

/** An account as its entries make it, and all that its other rows must say. */
export interface AccountFold {
  readonly account: Account;
  head: StreamHead;
  readonly books: Books;
  readonly rows: ExpectedRows;
}

export type Fault = Pick<Mismatch, 'check' | 'detail'>;

export const newAccountFold = ({ tenant_id, account_id }: Ids): AccountFold => ({
  account: initialAccount(tenant_id as Account['tenant_id'], account_id as Account['account_id']),
  head: GENESIS,
  books: newBooks(),
  rows: newExpectedRows(),
});

export type Folded =
  /** `faults` of this event leave the fold usable. */
  | { readonly kind: 'event'; readonly event: AccountEvent; readonly faults: readonly Fault[] }
  /** The account cannot be folded any further. */
  | { readonly kind: 'broken'; readonly fault: Fault };

/** Takes the next entry of the account. */
export function foldEntry(fold: AccountFold, row: EntryRow, price_books: TenantPriceBooks): Folded {
  const revision = fold.head.revision + 1;
  if (Number(row.revision) !== revision) {
    return broken('entry_missing', `after revision ${fold.head.revision} comes ${row.revision}`);
  }
  const chain = nextChain(fold.head.chain, row.data);
  if (chain !== row.chain) return broken('entry_differs', `its bytes give the chain ${chain}`);
  let event: AccountEvent;
  let otherwise: string | undefined;
  try {
    event = decodeAccountEvent(row.data);
    otherwise = decidedOtherwise(event, row.data, fold.account, price_books);
    evolve(fold.account, event);
  } catch (error) {
    if (error instanceof InvariantBroken) return broken('fold_broken', error.message);
    throw error;
  }
  fold.head = { revision, chain };
  expectRows(fold.rows, event, { account: fold.account, revision });
  const faults = [
    keyFault(row, event),
    bookFault(fold.books, event),
    fault('decision_differs', otherwise),
  ];
  return { kind: 'event', event, faults: faults.filter((fault) => fault !== undefined) };
}

const broken = (check: Fault['check'], detail: string): Folded => ({
  kind: 'broken',
  fault: { check, detail },
});

/** The key is what finds a request again: a wrong one lets it be decided twice. */
function keyFault({ key }: EntryRow, event: AccountEvent): Fault | undefined {
  const expected =
    'request_id' in event ? entryKey(event.tenant_id, event.account_id, event.request_id) : null;
  if (key === expected) return undefined;
  return { check: 'entry_differs', detail: `its key is ${key}, its request's is ${expected}` };
}

const bookFault = (books: Books, event: AccountEvent): Fault | undefined =>
  fault('credits_not_conserved', bookEvent(books, event));

const fault = (check: Fault['check'], detail: string | undefined): Fault | undefined =>
  detail === undefined ? undefined : { check, detail };
