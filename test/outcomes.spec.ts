import { readFileSync } from 'node:fs';
import {
  DEAD_LETTER_REASONS,
  OUTCOMES,
  REJECTION_REASONS,
  REJECTION_STATUS,
} from '#libs/contracts';
import { PROBLEM_CODES } from '#libs/http';

// Two levels up, as this runs from dist/test.
const text = readFileSync(new URL('../../docs/outcomes.md', import.meta.url), 'utf8');

/** The rows of the first table below a heading, without its head: cells without their space. */
function tableBelow(heading: string): string[][] {
  const [, section] = `\n${text}`.split(`\n${heading}\n`);
  if (section === undefined) throw new Error(`no heading ${heading}`);
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? [];
  const rows = table.split('\n').filter((row) => row !== '');
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const named = (rows: readonly string[][]) =>
  new Set(rows.map(([name]) => name?.replaceAll('`', '')));

describe('docs/outcomes.md says of each what it means and what the caller does', () => {
  it.each([
    ['# Outcomes', OUTCOMES],
    ['## Reasons of a rejection', REJECTION_REASONS],
    ['## Problems', PROBLEM_CODES],
    ['## Dead letters', DEAD_LETTER_REASONS],
  ] as const)('%s', (heading, names) => {
    const rows = tableBelow(heading);
    expect(named(rows)).toEqual(new Set<string>(names));
    expect(rows).toHaveLength(names.length);
    for (const row of rows)
      for (const cell of row) expect([row[0], cell]).not.toEqual([row[0], '']);
  });

  it('with the status of a rejection', () => {
    const told = tableBelow('## Reasons of a rejection').map(([reason, status]) => [
      reason?.replaceAll('`', ''),
      Number(status),
    ]);
    expect(Object.fromEntries(told)).toEqual(REJECTION_STATUS);
  });
});
