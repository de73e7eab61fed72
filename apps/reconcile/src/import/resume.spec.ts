import { startCsvImport, summaryOf, times } from '../../../../test/reconcile/csv-import.js';
import { send } from '../../../../test/reconcile/stand-in-gateway.js';

let csv: Awaited<ReturnType<typeof startCsvImport>>;
beforeEach(async () => {
  csv = await startCsvImport();
});
afterEach(() => csv.close());

const resumeRow = (lines: Record<string, unknown>[]) =>
  lines.find(({ type }) => type === 'unfinished')?.['resume_at_row'];

it('resumes at good rows that were read before too many bad ones, and never sent', async () => {
  const rows = [...times(500, 'a,1'), ...times(100, 'a,x'), ...times(400, 'a,1')];
  const path = await csv.file(['who,units', ...rows]);
  const ended = await csv.run(path, '--grant', '5000', '--json');
  expect(ended.exit_code).toBe(2);
  expect(summaryOf(ended.lines)).toMatchObject({ sent: 0, bad_rows: 100 });
  expect(resumeRow(ended.lines)).toBe(1);
  const resumed = await csv.run(path, '--grant', '5000', '--skip-bad', '--from-row', '1', '--json');
  expect(resumed.exit_code).toBe(0);
  expect(summaryOf(resumed.lines)).toMatchObject({ consumed: 900 });
  expect(csv.gateway.balances.get('a')).toBe(4_100);
});

it('resumes at the first bad row when all before it is charged: it may be mended', async () => {
  const rows = [...times(300, 'a,1'), ...times(100, 'a,x'), ...times(400, 'a,1')];
  const path = await csv.file(['who,units', ...rows]);
  const { lines } = await csv.run(path, '--grant', '5000', '--batch-size', '100', '--json');
  expect(summaryOf(lines)).toMatchObject({ consumed: 300 });
  expect(resumeRow(lines)).toBe(301);
});

it('resumes at rows of a file that is broken further down', async () => {
  const good = times(20_000, 'a,1');
  const path = await csv.file(['who,units', ...good, '"x"y,1', ...times(100, 'a,1')]);
  const ended = await csv.run(path, '--grant', '50000', '--json');
  expect(ended.exit_code).toBe(2);
  const row = Number(resumeRow(ended.lines));
  // Whatever was parsed and not sent any more is at or after it.
  expect(row).toBe(Number(summaryOf(ended.lines)?.['consumed']) + 1);
  await csv.file(['who,units', ...good, 'a,1', ...times(100, 'a,1')]);
  const resumed = await csv.run(path, '--grant', '50000', '--from-row', `${row}`, '--json');
  expect(resumed.exit_code).toBe(0);
  expect(csv.gateway.balances.get('a')).toBe(50_000 - 20_101);
});

it('resumes at a batch that was cut while another one failed', async () => {
  const path = await csv.file(['who,units', ...times(40, 'a,1')]);
  csv.gateway.faults.push(undefined, (_request, response) => send(response, 400, {}));
  const { lines } = await csv.run(path, '--grant', '5000', '--batch-size', '4', '--json');
  expect(resumeRow(lines)).toBe(Number(firstUncharged()));
});

/** The number of the first row that the ledger has no decision for. */
function firstUncharged(): number {
  const rows = [...csv.gateway.decided.values()].flatMap(({ usage }) =>
    usage ? [Number(usage.request_id.split(':')[1])] : [],
  );
  return Array.from({ length: 41 }, (_, n) => n + 1).find((row) => !rows.includes(row))!;
}
