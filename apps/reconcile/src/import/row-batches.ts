import type { CsvFile, CsvRow } from './csv-file.js';
import type { RowFault, RowResult } from './row-request.js';
import type { RowRequest } from './settle-batch.js';

/** Requests that are sent in one call. */
export interface RowBatch {
  /** Number of the row that the batch begins with. */
  readonly first_row: number;
  readonly requests: readonly RowRequest[];
}

interface BatchOptions {
  /** Rows before this one are passed over. */
  readonly from_row: number;
  readonly batch_size: number;
  readonly on_row: (row: CsvRow) => void;
  /** Told as soon as a batch has its first row: should reading end there, it is never handed out. */
  readonly on_begun: (first_row: number) => void;
  readonly on_bad: (row: CsvRow, fault: RowFault) => void;
  readonly signal: AbortSignal;
}

/** Cuts a file's rows into batches; a row that cannot be billed is reported and left out. */
export async function* rowBatches(
  rows: CsvFile['rows'],
  read: (row: CsvRow) => RowResult,
  { from_row, batch_size, on_row, on_begun, on_bad, signal }: BatchOptions,
): AsyncGenerator<RowBatch> {
  let requests: RowRequest[] = [];
  let first_row = from_row;
  for await (const row of rows) {
    signal.throwIfAborted();
    if (row.number < from_row) continue;
    on_row(row);
    const result = read(row);
    if (result.kind === 'bad') {
      on_bad(row, result.fault);
      continue;
    }
    if (requests.length === 0) {
      first_row = row.number;
      on_begun(first_row);
    }
    const { body, blame } = result;
    const { number, line } = row;
    requests.push({ number, line, first_id: body.request_id, body, blame });
    if (requests.length < batch_size) continue;
    yield { first_row, requests };
    requests = [];
  }
  if (requests.length > 0) yield { first_row, requests };
}
