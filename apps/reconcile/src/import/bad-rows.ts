import { CouldNotRun } from '../exit-code.js';
import type { Output } from '../output.js';
import type { RowFault } from './row-request.js';
import type { Tally } from './tally.js';

/** More bad rows are no accident of a row: most likely a column was mapped wrongly. */
const MAX_BAD_ROWS = 100;

interface RowPlace {
  readonly number: number;
  readonly line: number;
}

/** Counts and tells the rows that cannot be billed, whether it is seen here or by the gateway. */
export function badRows(tally: Tally, skip_bad: boolean, out: Output) {
  let first = Infinity;
  return {
    tell({ number, line }: RowPlace, { column, message }: RowFault): void {
      tally.bad_rows += 1;
      // Left out on purpose it is done with; else it is to be mended, and read again.
      if (!skip_bad) first = Math.min(first, number);
      // One answer of the gateway may hold many more.
      if (!skip_bad && tally.bad_rows > MAX_BAD_ROWS) return;
      out.warn('bad_row', { line, column, message }, () =>
        [`line ${line}`, ...(column === null ? [] : [`column ${column}`]), message].join(': '),
      );
    },
    /** Throws CouldNotRun. Never in the middle of an answer, which would be forgotten. */
    requireFew(): void {
      if (skip_bad || tally.bad_rows < MAX_BAD_ROWS) return;
      throw new CouldNotRun(`${MAX_BAD_ROWS} bad rows: is the mapping right? --skip-bad goes on`);
    },
    /** The first one that is not left out on purpose. */
    first: (): number => first,
  };
}
