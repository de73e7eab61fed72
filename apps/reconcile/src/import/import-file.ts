import { basename } from 'node:path';
import { CouldNotRun, EXIT, type ExitCode } from '../exit-code.js';
import { inParallel } from '../in-parallel.js';
import type { Output } from '../output.js';
import { badRows } from './bad-rows.js';
import { openCsv } from './csv-file.js';
import type { Gateway } from './gateway.js';
import { packGiver } from './granting.js';
import type { Mapping } from './mapping.js';
import { rowBatches, type RowBatch } from './row-batches.js';
import { rowReader, sourceName } from './row-request.js';
import { rowSettler } from './row-settler.js';
import { leftUncharged, newTally, tallyText, type Tally } from './tally.js';

interface ImportOptions {
  readonly file: string;
  readonly mapping: Mapping;
  readonly delimiter: string;
  /** Begins the request ids instead of the file's name. */
  readonly name: string | undefined;
  /** Whole credits in decimal that each account gets first. */
  readonly grant: string | undefined;
  /** Bad rows are left out, however many, and are no mismatch. */
  readonly skip_bad: boolean;
  /** So many times each rejected row is asked for again, each time under another id. */
  readonly retries: number;
  /** Rows before this one are passed over. */
  readonly from_row: number;
  /** Requests per call, at most 1,000. */
  readonly batch_size: number;
  /** Calls under way at a time; 1 keeps the order of the file. */
  readonly in_flight: number;
  /** How long the import goes on without any decision. */
  readonly give_up_ms: number;
  readonly signal: AbortSignal;
  readonly clock: () => number;
}

/**
 * Sends a usage file through a gateway and waits for every decision. A second run finds the decisions
 * of the first. Mismatch = a row that is not charged: it could not be billed, it was rejected, or its id
 * stands for other content.
 */
export async function importFile(
  gateway: Gateway,
  options: ImportOptions,
  out: Output,
): Promise<ExitCode> {
  const { mapping, clock } = options;
  const name = options.name ?? sourceName(basename(options.file));
  const file = await openCsv(options.file, options.delimiter);
  const read = rowReader(mapping, file.columns, name);
  const progress = out.progress('import', file.size_bytes);
  const tally = newTally();
  const bad_rows = badRows(tally, options.skip_bad, out);
  /** First rows of the batches that were begun and are not settled. */
  const unsettled = new Set<number>();
  const started_ms = clock();
  const perSecond = () => tally.decided / (Math.max(clock() - started_ms, 1) / 1_000);

  let read_bytes = 0;
  const batches = rowBatches(file.rows, read, {
    ...options,
    on_row({ bytes }) {
      tally.rows += 1;
      read_bytes = bytes;
    },
    on_begun: (first_row) => void unsettled.add(first_row),
    on_bad(row, fault) {
      bad_rows.tell(row, fault);
      bad_rows.requireFew();
    },
  });
  const givePacks = packs(gateway, name, options, tally);
  const settleRows = rowSettler(gateway, options, {
    tally,
    may_repeat: mapping.request_id !== undefined,
    started_at: new Date(started_ms).toISOString(),
    on_bad: (row, fault) => bad_rows.tell(row, fault),
  });

  const sendBatch = async ({ first_row, requests }: RowBatch) => {
    await givePacks(requests.map(({ body }) => body.account_id));
    await settleRows(requests);
    unsettled.delete(first_row);
    progress.at(read_bytes, `${tally.decided} decided, ${Math.round(perSecond())}/s`);
    bad_rows.requireFew();
  };

  const summarise = () => {
    progress.stop();
    const decisions_per_second = Math.round(perSecond());
    const told = { decisions_per_second, options };
    out.report('summary', { ...tally, decisions_per_second }, () => tallyText(tally, told));
  };

  try {
    await inParallel(batches, options.in_flight, sendBatch);
  } catch (error) {
    progress.stop();
    // Refused before anything was begun that could be gone on with: the error says all there is.
    if (error instanceof CouldNotRun && tally.decided + tally.bad_rows === 0) throw error;
    const next_row = options.from_row + tally.rows;
    const resume_at = Math.min(...unsettled, bad_rows.first(), next_row);
    out.warn(
      'unfinished',
      { resume_at_row: resume_at },
      () => `not finished: run the same command again, or with --from-row ${resume_at}`,
    );
    summarise();
    throw error;
  }
  summarise();
  return leftUncharged(tally, options.skip_bad) ? EXIT.mismatch : EXIT.fine;
}

function packs(
  gateway: Gateway,
  name: string,
  { grant, signal }: ImportOptions,
  tally: Tally,
): (account_ids: Iterable<string>) => Promise<void> {
  if (grant === undefined) return async () => {};
  const pack = { request_id: `${name}:grant`, credits: grant };
  return packGiver(gateway, pack, {
    signal,
    on_granted(replayed) {
      tally.accounts_granted += 1;
      if (replayed) tally.packs_replayed += 1;
    },
  });
}
