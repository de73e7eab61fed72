import { hash } from 'node:crypto';
import { z } from 'zod';
import { AccountId, CallerRequestId, InstantInput, MAX_ITEMS, UsageItem } from '#libs/contracts';
import { CouldNotRun } from '../exit-code.js';
import { delimiterHint, type CsvRow } from './csv-file.js';
import type { AccountSource, ItemSource, Mapping } from './mapping.js';
import { rfc3339Of } from '../timestamp.js';

/** A usage request as the gateway takes it. */
export const UsageBody = z.object({
  request_id: CallerRequestId,
  account_id: AccountId,
  items: z.array(UsageItem).min(1, 'no quantity above 0'),
  occurred_at: InstantInput.optional(),
});
export type UsageBody = z.infer<typeof UsageBody>;

/** Why a row cannot be billed. `column` is null when it is the row as a whole. */
export interface RowFault {
  readonly column: string | null;
  readonly message: string;
}

/** What the gateway finds wrong, `items[0].quantity` say, as a fault of the row. */
export type Blame = (fault: { readonly path: string; readonly message: string }) => RowFault;

export type RowResult =
  | { readonly kind: 'request'; readonly body: UsageBody; readonly blame: Blame }
  | { readonly kind: 'bad'; readonly fault: RowFault };

type Reader<T> = (row: CsvRow) => T;
type IndexOf = (column: string) => number;

/** A value that is not checked yet, and the column to blame for it, with what stands there. */
interface Cell {
  readonly column: string | null;
  readonly text: string;
  readonly value: unknown;
}

/** Of no column: the command line says it, or nothing does. */
const saidOnce = (value: unknown): Cell => ({ column: null, text: '', value });

/** Makes requests of rows. Throws CouldNotRun when the mapping names a column that is not there. */
export function rowReader(
  mapping: Mapping,
  columns: readonly string[],
  source_name: string,
): Reader<RowResult> {
  if (mapping.items.length > MAX_ITEMS) throw new CouldNotRun(`at most ${MAX_ITEMS} --item`);
  const indexOf: IndexOf = (column) => columnIndex(columns, column);
  const account = accountReader(mapping.account, indexOf);
  const items = mapping.items.map((item) => itemReader(item, indexOf));
  const request_id = requestIdReader(mapping.request_id, indexOf, source_name);
  const occurred_at = occurredAtReader(mapping.occurred_at, indexOf);

  return (row) => {
    if (row.fields.length !== columns.length) {
      const message = `${row.fields.length} columns, the header has ${columns.length}`;
      return { kind: 'bad', fault: { column: null, message } };
    }
    const cells = {
      request_id: request_id(row),
      account_id: account(row),
      occurred_at: occurred_at(row),
    };
    const used = items.map((item) => item(row)).filter((item) => item !== null);
    const parsed = UsageBody.safeParse({
      request_id: cells.request_id.value,
      account_id: cells.account_id.value,
      items: used.map((item) => item.value),
      ...(mapping.occurred_at !== undefined && { occurred_at: cells.occurred_at.value }),
    });
    if (parsed.success) {
      const blame: Blame = ({ path, message }) =>
        faultAt(path.match(/[^.[\]]+/g) ?? [], message, cells, used) ?? {
          column: null,
          message: path === '' ? message : `${path} ${message}`,
        };
      return { kind: 'request', body: parsed.data, blame };
    }
    const { path, message } = parsed.error.issues[0]!;
    const fault = faultAt(path, message, cells, used) ?? { column: null, message };
    return { kind: 'bad', fault };
  };
}

/** The column at fault, and what the file says there. Undefined when no column says it. */
function faultAt(
  [field, index]: readonly PropertyKey[],
  message: string,
  cells: Readonly<Record<string, Cell>>,
  used: readonly Cell[],
): RowFault | undefined {
  const cell = field === 'items' ? used[Number(index)] : cells[String(field)];
  if (!cell?.column) return undefined;
  return { column: cell.column, message: `${JSON.stringify(cell.text)} ${message}` };
}

function columnIndex(columns: readonly string[], column: string): number {
  const index = columns.indexOf(column);
  if (index === -1) {
    const hint = columns.length === 1 ? delimiterHint(columns[0]!) : undefined;
    const has = `there is no column ${column}; the file has: ${columns.join(', ')}`;
    throw new CouldNotRun(hint === undefined ? has : `${has}\n${hint}`);
  }
  if (columns.indexOf(column, index + 1) === -1) return index;
  throw new CouldNotRun(`the column ${column} is there twice: rename one of them`);
}

function accountReader(source: AccountSource, indexOf: IndexOf): Reader<Cell> {
  switch (source.kind) {
    case 'column':
      return cellReader(source.column, indexOf);
    case 'constant':
      return () => saidOnce(source.account_id);
    case 'spread':
      return ({ number }) => saidOnce(dealtAccount(number, source.over));
  }
}

const dealtAccount = (row_number: number, over: number): string =>
  `acct-${String(((row_number - 1) % over) + 1).padStart(4, '0')}`;

function requestIdReader(
  column: string | undefined,
  indexOf: IndexOf,
  source_name: string,
): Reader<Cell> {
  if (column !== undefined) return cellReader(column, indexOf);
  return ({ number, text }) =>
    saidOnce(`${source_name}:${number}:${hash('sha256', text, 'hex').slice(0, HASH_LENGTH)}`);
}

function occurredAtReader(column: string | undefined, indexOf: IndexOf): Reader<Cell> {
  if (column === undefined) return () => saidOnce(undefined);
  const cell = cellReader(column, indexOf);
  return (row) => {
    const { text } = cell(row);
    return { column, text, value: rfc3339Of(text) };
  };
}

function cellReader(column: string, indexOf: IndexOf): Reader<Cell> {
  const index = indexOf(column);
  return ({ fields }) => {
    const text = fields[index]!.trim();
    return { column, text, value: text };
  };
}

/** A quantity of 0 and an empty cell leave the item out. */
function itemReader({ operation, quantity }: ItemSource, indexOf: IndexOf): Reader<Cell | null> {
  if (quantity.kind === 'constant') {
    return () => saidOnce({ operation, quantity: quantity.quantity });
  }
  const { column } = quantity;
  const cell = cellReader(column, indexOf);
  return (row) => {
    const { text } = cell(row);
    if (/^0*$/.test(text)) return null;
    // What is not made of digits stays text, which the contract refuses.
    const value = { operation, quantity: /^\d{1,15}$/.test(text) ? Number(text) : text };
    return { column, text, value };
  };
}

const HASH_LENGTH = 8;
/** Leaves room in an id for row number, hash and separators. */
const MAX_NAME_LENGTH = 80;

/** A file's name as the beginning of its request ids: only characters of an id, and not too many. */
export function sourceName(file_name: string): string {
  const name = file_name.normalize('NFC');
  const safe = name.replaceAll(/[^A-Za-z0-9_.@-]/gu, '-').slice(0, MAX_NAME_LENGTH);
  // The hash keeps two names apart that the replacement would make one.
  return safe === name ? name : `${safe}-${hash('sha256', name, 'hex').slice(0, HASH_LENGTH)}`;
}
