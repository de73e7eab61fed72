import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { CouldNotRun } from '../exit-code.js';

/** A data row of a CSV file. */
export interface CsvRow {
  /** 1 is the first row below the header. */
  readonly number: number;
  /** Line of the file on which the row ends; the header is usually line 1. */
  readonly line: number;
  readonly fields: readonly string[];
  /** The row as it stands in the file, without its line end. */
  readonly text: string;
  /** Bytes of the file up to the end of this row. */
  readonly bytes: number;
}

export interface CsvFile {
  readonly columns: readonly string[];
  readonly size_bytes: number;
  /** Read as it is consumed: memory does not grow with the file. Stopping early closes the file. */
  readonly rows: AsyncIterable<CsvRow>;
}

/** A quote that is never closed would otherwise swallow the rest of the file. */
const MAX_ROW_BYTES = 1_000_000;

interface ParsedRecord {
  readonly record: string[];
  readonly raw: string;
  readonly info: { readonly lines: number; readonly bytes: number };
}

/**
 * Opens a CSV file (RFC 4180, UTF-8 or UTF-16 by its mark) whose first row names the columns. Rows
 * of another length than the header are delivered. Reading throws CouldNotRun, with the line, for
 * what is not CSV: where a quote is broken nobody can tell which rows follow.
 */
export async function openCsv(path: string, delimiter: string): Promise<CsvFile> {
  const file = await stat(path).catch((error: Error) => {
    throw new CouldNotRun(`cannot read ${path}: ${error.message}`);
  });
  if (file.isDirectory()) throw new CouldNotRun(`${path} is a directory: name one CSV file in it`);
  const records = parseFile(path, delimiter);
  const header = await records.next().catch(async (error: Error) => {
    // A pipe has no beginning to go back to.
    if (!(error instanceof CouldNotRun) || !file.isFile()) throw error;
    const hint = delimiterHint(await firstLine(path), delimiter);
    throw hint === undefined ? error : new CouldNotRun(`${path}: ${hint}`);
  });
  if (header.done === true) throw new CouldNotRun(`${path} is empty: its first row names columns`);
  const columns = header.value.record.map((name) => name.trim());
  return { columns, size_bytes: file.size, rows: numberRows(records) };
}

async function* numberRows(records: AsyncIterable<ParsedRecord>): AsyncGenerator<CsvRow> {
  let number = 0;
  for await (const { record, raw, info } of records) {
    number += 1;
    const text = raw.replace(/^[\r\n]+|[\r\n]+$/g, '');
    yield { number, line: info.lines, fields: record, text, bytes: info.bytes };
  }
}

async function* parseFile(path: string, delimiter: string): AsyncGenerator<ParsedRecord> {
  const parser = parse({
    delimiter,
    bom: true,
    columns: false,
    info: true,
    raw: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: MAX_ROW_BYTES,
  });
  // The error reaches the loop below, through the parser.
  pipeline(createReadStream(path), parser, () => {});
  try {
    for await (const record of parser) yield record as ParsedRecord;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CouldNotRun(`${path} is not CSV from here on: ${error.message}`);
  }
}

const DELIMITERS = [',', ';', '\t', '|'];

/** What to do about a header that is one column; undefined when nothing else seems to part it. */
export function delimiterHint(header: string, delimiter?: string): string | undefined {
  const unquoted = header.replaceAll(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((one) => ({ one, count: unquoted.split(one).length - 1 }));
  const { one, count } = counts.reduce((most, next) => (next.count > most.count ? next : most));
  if (count === 0 || one === delimiter) return undefined;
  const name = one === '\t' ? '\\t' : one;
  return `its columns seem to be separated by ${name}, give --delimiter '${name}'`;
}

async function firstLine(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ length: 16_384, position: 0 });
    return buffer.toString('utf8', 0, bytesRead).split(/[\r\n]/, 1)[0]!;
  } finally {
    await file.close();
  }
}
