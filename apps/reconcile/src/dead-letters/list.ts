import { originalBytes } from '#libs/contracts';
import {
  allDeadLetters,
  deadLetters,
  type DeadLetterFilter,
  type FiledDeadLetter,
} from '#libs/read-models';
import type { Pool } from 'pg';
import { EXIT, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { tableHeader, tableRow, type Column } from '../table.js';
import { coordinateText } from '../coordinates.js';

interface ListedLetters extends DeadLetterFilter {
  /** Undefined: of all tenants. */
  readonly tenant_id: string | undefined;
}

const COLUMNS: readonly Column[] = [
  { name: 'message', width: 24, align: 'left' },
  { name: 'broker time', width: 24, align: 'left' },
  { name: 'key', width: 24, align: 'left' },
  { name: 'reason', width: 18, align: 'left' },
  { name: 'closed', width: 24, align: 'left' },
  { name: 'detail', width: 6, align: 'left' },
];

/** One page, the last filed first. */
export async function listDeadLetters(
  pool: Pool,
  { tenant_id, ...filter }: ListedLetters,
  out: Output,
): Promise<ExitCode> {
  const { items, next_cursor } =
    tenant_id === undefined
      ? await allDeadLetters(pool, filter)
      : await deadLetters(pool, tenant_id, filter);
  if (items.length === 0)
    out.report('page', { next_cursor }, () =>
      filter.open ? 'no open dead letters' : 'no dead letters',
    );
  else out.report('page', { next_cursor }, () => tableHeader(COLUMNS));
  for (const letter of items) out.report('dead_letter', { ...letter }, () => lineOf(letter));
  if (next_cursor !== null)
    out.warn('more', { next_cursor }, () => `more: --cursor ${next_cursor}`);
  return EXIT.fine;
}

function closedText({ redriven_at, dismissed }: FiledDeadLetter): string {
  if (redriven_at !== null) return `redriven ${redriven_at}`;
  if (dismissed === null) return '';
  return `dismissed ${dismissed.at} by ${dismissed.by}: ${dismissed.why}`.replaceAll(/\s+/g, ' ');
}

const lineOf = (letter: FiledDeadLetter): string =>
  tableRow(COLUMNS, [
    coordinateText(letter.source),
    letter.timestamp,
    letter.key ?? '(none)',
    letter.reason,
    closedText(letter),
    `${letter.detail.replaceAll(/\s+/g, ' ')} (${originalBytes(letter)?.length ?? 0} bytes)`,
  ]);
