import { dismissLetters, type Dismissal, type LetterFilter } from '#libs/read-models';
import type { Pool } from 'pg';
import { coordinateText } from '../coordinates.js';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { counted } from '../table.js';

/**
 * Closes open dead letters with a note. Throws NotFound, and closes none, for a coordinate that has no open
 * one, and when there are not `expected`: more may have come since they were looked at.
 */
export async function dismiss(
  pool: Pool,
  filter: LetterFilter,
  note: Pick<Dismissal, 'by' | 'why'>,
  expected: number,
  out: Output,
): Promise<ExitCode> {
  const dismissed = await dismissLetters(pool, filter, note, expected);
  if (dismissed !== expected) {
    throw new NotFound(
      filter.source
        ? `${coordinateText(filter.source)} is no open dead letter`
        : `${counted(dismissed, 'open dead letter')}, not ${expected}: none was dismissed`,
    );
  }
  out.report(
    'dismissed',
    { dismissed, ...note },
    () => `${counted(dismissed, 'dead letter')} dismissed`,
  );
  return EXIT.fine;
}
