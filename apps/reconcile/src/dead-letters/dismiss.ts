import { dismissLetters, type Dismissal, type LetterFilter } from '#libs/read-models';
import type { Pool } from 'pg';
import { coordinateText } from '../coordinates.js';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { counted } from '../table.js';

/** Closes open dead letters with a note. Throws NotFound for a coordinate that has no open one. */
export async function dismiss(
  pool: Pool,
  filter: LetterFilter,
  note: Pick<Dismissal, 'by' | 'why'>,
  out: Output,
): Promise<ExitCode> {
  const dismissed = await dismissLetters(pool, filter, note);
  if (filter.source && dismissed === 0) {
    throw new NotFound(`${coordinateText(filter.source)} is no open dead letter`);
  }
  out.report(
    'dismissed',
    { dismissed, ...note },
    () => `${counted(dismissed, 'dead letter')} dismissed`,
  );
  return EXIT.fine;
}
