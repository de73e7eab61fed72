import { basename } from 'node:path';
import { LRUCache } from 'lru-cache';
import { CouldNotRun, EXIT, type ExitCode } from '../exit-code.js';
import { inParallel } from '../in-parallel.js';
import type { Output } from '../output.js';
import { openCsv } from './csv-file.js';
import type { Gateway, GatewayDecision } from './gateway.js';
import { packGiver } from './granting.js';
import type { Mapping } from './mapping.js';
import { rowBatches, type RowBatch } from './row-batches.js';
import { rowReader, sourceName, type RowFault } from './row-request.js';
import { settleBatch } from './settle-batch.js';
import { countDecision, newTally, nothingCharged, tallyText } from './tally.js';

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

/** More bad rows are no accident of a row: most likely a column was mapped wrongly. */
const MAX_BAD_ROWS = 100;

/**
 * Sends a usage file through a gateway and waits for every decision. A second run finds the decisions
 * of the first. Mismatch = a row that could not be billed, an id that stands for other content, or a file
 * of which nothing was charged.
 */
export async function importFile(
  gateway: Gateway,
  options: ImportOptions,
  out: Output,
): Promise<ExitCode> {
  const { signal, clock } = options;
  const name = options.name ?? sourceName(basename(options.file));
  const file = await openCsv(options.file, options.delimiter);
  const read = rowReader(options.mapping, file.columns, name);
  const progress = out.progress('import', file.size_bytes);
  const tally = newTally();
  const unfinished = new Set<number>();
  const started_ms = clock();
  const started_at = new Date(started_ms).toISOString();
  const perSecond = () => tally.decided / (Math.max(clock() - started_ms, 1) / 1_000);

  const badRow = (line: number, { column, message }: RowFault) => {
    tally.bad_rows += 1;
    out.warn('bad_row', { line, column, message }, () =>
      [`line ${line}`, ...(column === null ? [] : [`column ${column}`]), message].join(': '),
    );
    if (options.skip_bad || tally.bad_rows < MAX_BAD_ROWS) return;
    throw new CouldNotRun(`${MAX_BAD_ROWS} bad rows: is the mapping right? --skip-bad goes on`);
  };

  let read_bytes = 0;
  const batches = rowBatches(file.rows, read, {
    ...options,
    on_row({ bytes }) {
      tally.rows += 1;
      read_bytes = bytes;
    },
    on_bad: badRow,
  });
  const givePacks = packs(gateway, name, options, () => void (tally.accounts_granted += 1));

  const isKnown = knownDecisions();

  const sendBatch = async ({ first_row, requests }: RowBatch) => {
    unfinished.add(first_row);
    await givePacks(requests.map(({ body }) => body.account_id));
    tally.sent += requests.length;
    await settleBatch(requests, gateway, {
      give_up_ms: options.give_up_ms,
      signal,
      on_decided(decision, attempt) {
        // A repeated request may be answered with what its own first attempt decided.
        const replayed = decision.replayed && (attempt === 1 || decision.recorded_at < started_at);
        countDecision(tally, decision, replayed || isKnown(decision));
      },
      on_invalid: ({ line }, { path, message }) => badRow(line, { column: path, message }),
      on_resent: (count) => void (tally.resent += count),
    });
    unfinished.delete(first_row);
    progress.at(read_bytes, `${tally.decided} decided, ${Math.round(perSecond())}/s`);
  };

  const summarise = () => {
    progress.stop();
    const decisions_per_second = perSecond();
    out.report(
      'summary',
      { ...tally, decisions_per_second: Math.round(decisions_per_second) },
      () => tallyText(tally, decisions_per_second),
    );
  };

  try {
    await inParallel(batches, options.in_flight, sendBatch);
  } catch (error) {
    progress.stop();
    // Refused before anything was begun that could be gone on with: the error says all there is.
    if (error instanceof CouldNotRun && tally.decided + tally.bad_rows === 0) throw error;
    const resume_at = Math.min(...unfinished, options.from_row + tally.rows);
    out.warn(
      'unfinished',
      { resume_at_row: resume_at },
      () => `not finished: run the same command again, or with --from-row ${resume_at}`,
    );
    summarise();
    throw error;
  }
  summarise();
  const bad_rows = options.skip_bad ? 0 : tally.bad_rows;
  return bad_rows + tally.conflicts > 0 || nothingCharged(tally) ? EXIT.mismatch : EXIT.fine;
}

/**
 * Whether a decision was delivered before: an id that stands in the file twice, and waits twice at a
 * time, gets its one decision twice.
 */
function knownDecisions(): (decision: GatewayDecision) => boolean {
  const known = new LRUCache<string, true>({ max: 100_000 });
  return ({ outcome, account_id, revision }) => {
    if (outcome === 'conflict') return false;
    const place = `${account_id}@${revision}`;
    const delivered = known.has(place);
    known.set(place, true);
    return delivered;
  };
}

function packs(
  gateway: Gateway,
  name: string,
  { grant, signal }: ImportOptions,
  on_granted: () => void,
): (account_ids: Iterable<string>) => Promise<void> {
  if (grant === undefined) return async () => {};
  return packGiver(
    gateway,
    { request_id: `${name}:grant`, credits: grant },
    { signal, on_granted },
  );
}
