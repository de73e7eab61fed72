import { startCsvImport, summaryOf, times } from '../../../../test/reconcile/csv-import.js';

let csv: Awaited<ReturnType<typeof startCsvImport>>;
beforeEach(async () => {
  csv = await startCsvImport();
});
afterEach(() => csv.close());

const FUTURE = 'a,1,2999-01-01';
const NOW = 'a,1,2026-01-01';

it('counts what was charged although the same answer has too many bad rows', async () => {
  const path = await csv.file(['who,units,when', ...times(150, FUTURE), ...times(700, NOW)]);
  const timed = ['--occurred-at', 'when', '--grant', '1000', '--json'];
  const { exit_code, lines, stderr } = await csv.run(path, ...timed);
  expect(exit_code).toBe(2);
  expect(stderr).toContain('100 bad rows');
  expect(summaryOf(lines)).toMatchObject({
    sent: 850,
    decided: 700,
    consumed: 700,
    credits: '700',
    bad_rows: 150,
  });
  expect(csv.gateway.balances.get('a')).toBe(300);
  expect(lines.filter(({ type }) => type === 'bad_row')).toHaveLength(100);
  expect(lines).toContainEqual({ type: 'unfinished', resume_at_row: 1 });
});

it('names the column of the file, and its text, where the gateway finds the fault', async () => {
  const path = await csv.file([
    'who,units,when',
    FUTURE,
    'a,666,2026-01-01',
    'a,1,2026-02-30',
    NOW,
  ]);
  const { stderr } = await csv.run(path, '--occurred-at', 'when', '--grant', '1000');
  expect(stderr.split('\n')).toEqual(
    expect.arrayContaining([
      'line 2: column when: "2999-01-01" must not be in the future',
      'line 3: column units: "666" must not be 666',
      expect.stringMatching(/^line 4: column when: "2026-02-30" must be /),
    ]),
  );
});

it('blames what no column says by the name that the gateway has for it', async () => {
  const path = await csv.file(['who,units', 'a,1']);
  const constant = ['--item', 'image.generation=const:666', '--grant', '1000'];
  const { stderr } = await csv.run(path, ...constant);
  expect(stderr).toContain('line 2: items[1].quantity must not be 666\n');
});

describe('a request that stands in the file twice', () => {
  const twice = ['who,units,id', 'a,5,r-1', 'a,4,r-2', 'a,5,r-1', 'a,4,r-2'];
  const byId = ['--request-id', 'id', '--grant', '1000', '--json'];

  it.each([['1'], ['4']])('is counted once, in batches of %s', async (size) => {
    const path = await csv.file(twice);
    const first = await csv.run(path, ...byId, '--batch-size', size);
    expect(first.exit_code).toBe(0);
    const charged = { sent: 4, decided: 4, duplicates: 2, consumed: 2, credits: '9' };
    expect(summaryOf(first.lines)).toMatchObject({
      ...charged,
      replayed: 0,
      credits_replayed: '0',
    });
    const second = await csv.run(path, ...byId, '--batch-size', size);
    expect(summaryOf(second.lines)).toMatchObject({
      ...charged,
      replayed: 2,
      credits_replayed: '9',
    });
    expect(csv.gateway.balances.get('a')).toBe(991);
  });

  it("is this run's charge also when the replay is answered first", async () => {
    const path = await csv.file(twice);
    // Decided by the first call, whose answer takes longer than that of the second.
    csv.gateway.hold.push(undefined, 100, undefined);
    const pairs = ['--batch-size', '2', '--in-flight', '2'];
    const { lines } = await csv.run(path, ...byId, ...pairs);
    expect(summaryOf(lines)).toMatchObject({ credits: '9', replayed: 0, credits_replayed: '0' });
  });

  it('says so in words', async () => {
    const { stdout } = await csv.run(await csv.file(twice), '--request-id', 'id', '--grant', '99');
    expect(stdout).toMatch(/^duplicate rows +2 +same request_id and content as another row/m);
  });
});

it('warns that ids count rows where bad ones might be taken out', async () => {
  const path = await csv.file(['who,units,id', 'a,x,r-1', 'a,1,r-2']);
  const { stdout } = await csv.run(path, '--grant', '9');
  expect(stdout).toContain('Mend bad rows where they stand');
  const by_id = await csv.run(path, '--grant', '9', '--request-id', 'id');
  expect(by_id.stdout).not.toContain('where they stand');
});

it('ends with a mismatch when any row was rejected, now or before', async () => {
  const path = await csv.file(['who,units', ...times(3, 'a,1')]);
  for (let run = 0; run < 2; run += 1) {
    const { exit_code, lines } = await csv.run(path, '--grant', '2', '--json');
    expect(exit_code).toBe(1);
    expect(summaryOf(lines)).toMatchObject({ consumed: 2, rejected: 1 });
  }
});
