import { AccountId, OperationId, Quantity } from '#libs/contracts';
import { CouldNotRun } from '../exit-code.js';

/** Where a row's account comes from. */
export type AccountSource =
  | { readonly kind: 'column'; readonly column: string }
  | { readonly kind: 'constant'; readonly account_id: string }
  /** Rows are dealt in turn over acct-0001, acct-0002 and so on. */
  | { readonly kind: 'spread'; readonly over: number };

/** One billed operation of a row, and where its quantity comes from. */
export interface ItemSource {
  readonly operation: string;
  readonly quantity:
    | { readonly kind: 'column'; readonly column: string }
    | { readonly kind: 'constant'; readonly quantity: number };
}

/** How a row becomes a request; names are of columns. */
export interface Mapping {
  readonly account: AccountSource;
  readonly items: readonly ItemSource[];
  readonly request_id: string | undefined;
  readonly occurred_at: string | undefined;
}

const MAX_SPREAD = 1_000_000;
const CONSTANT = 'const:';
const SPREAD = 'spread:';

/** `COLUMN`, `const:ID` or `spread:N`. */
export function parseAccount(text: string): AccountSource {
  if (text.startsWith(CONSTANT)) {
    const account_id = AccountId.safeParse(text.slice(CONSTANT.length));
    if (account_id.success) return { kind: 'constant', account_id: account_id.data };
    throw new CouldNotRun(
      `--account ${text}: an account id ${account_id.error.issues[0]!.message}`,
    );
  }
  if (!text.startsWith(SPREAD)) return { kind: 'column', column: text };
  const over = Number(text.slice(SPREAD.length));
  if (Number.isInteger(over) && over >= 1 && over <= MAX_SPREAD) return { kind: 'spread', over };
  throw new CouldNotRun(`--account ${text}: give a number of accounts from 1 to ${MAX_SPREAD}`);
}

/** `OPERATION=COLUMN` or `OPERATION=const:QUANTITY`. */
export function parseItem(text: string): ItemSource {
  const at = text.indexOf('=');
  const operation = OperationId.safeParse(text.slice(0, Math.max(at, 0)));
  const column = text.slice(at + 1);
  if (!operation.success || column === '') {
    throw new CouldNotRun(`--item ${text}: must be OPERATION=COLUMN or OPERATION=const:QUANTITY`);
  }
  if (!column.startsWith(CONSTANT)) {
    return { operation: operation.data, quantity: { kind: 'column', column } };
  }
  const quantity = Quantity.safeParse(Number(column.slice(CONSTANT.length)));
  if (quantity.success) {
    return { operation: operation.data, quantity: { kind: 'constant', quantity: quantity.data } };
  }
  throw new CouldNotRun(`--item ${text}: the quantity must be a whole number from 1`);
}
