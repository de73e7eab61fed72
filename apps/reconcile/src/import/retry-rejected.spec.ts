import { startCsvImport, summaryOf, times } from '../../../../test/reconcile/csv-import.js';
import { send } from '../../../../test/reconcile/stand-in-gateway.js';

let csv: Awaited<ReturnType<typeof startCsvImport>>;
beforeEach(async () => {
  csv = await startCsvImport();
});
afterEach(() => csv.close());

const give = (account_id: string, credits: number) =>
  csv.gateway.balances.set(account_id, (csv.gateway.balances.get(account_id) ?? 0) + credits);

const idsOf = (account_id: string) =>
  [...csv.gateway.decided.keys()].filter((id) => id.startsWith(`${account_id}/`));

it('asks again for the rejected rows only, and charges nothing twice however often', async () => {
  const path = await csv.file(['who,units', ...times(10, 'a,1')]);
  const first = await csv.run(path, '--grant', '7');
  expect(first.exit_code).toBe(1);
  expect(first.stdout).toContain('run the same command with --retry-rejected 1:');
  give('a', 100);
  const retry = () => csv.run(path, '--grant', '7', '--retry-rejected', '1', '--json');
  const { exit_code, lines } = await retry();
  expect(exit_code).toBe(0);
  expect(summaryOf(lines)).toMatchObject({
    sent: 10,
    retried: 3,
    decided: 10,
    consumed: 10,
    rejected: 0,
    replayed: 7,
    credits: '10',
    credits_replayed: '7',
    packs_replayed: 1,
  });
  // 7 of the pack, which is not given twice, and 3 of what came later.
  expect(csv.gateway.balances.get('a')).toBe(97);
  const again = await retry();
  expect(again.exit_code).toBe(0);
  expect(summaryOf(again.lines)).toMatchObject({ consumed: 10, replayed: 10, credits: '10' });
  expect(csv.gateway.balances.get('a')).toBe(97);
});

it('a second retry goes on from the first: what that one charged is not charged again', async () => {
  const path = await csv.file(['who,units', ...times(10, 'a,1')]);
  await csv.run(path);
  give('a', 4);
  const first = await csv.run(path, '--retry-rejected', '1');
  expect(first.exit_code).toBe(1);
  expect(first.stdout).toContain('--retry-rejected 2:');
  give('a', 100);
  const { exit_code, lines } = await csv.run(path, '--retry-rejected', '2', '--json');
  expect(exit_code).toBe(0);
  expect(summaryOf(lines)).toMatchObject({ sent: 10, retried: 16, consumed: 10, replayed: 4 });
  expect(csv.gateway.balances.get('a')).toBe(94);
});

it('is advised for the whole file where rows were passed over: they may be rejected, too', async () => {
  const path = await csv.file(['who,units', ...times(10, 'a,1')]);
  const { stdout } = await csv.run(path, '--from-row', '6');
  expect(stdout).toContain('with --retry-rejected 1 and without --from-row:');
});

it('gives a first pack where the first run gave none', async () => {
  const path = await csv.file(['who,units', ...times(10, 'a,1')]);
  await csv.run(path);
  for (let run = 0; run < 2; run += 1) {
    const { exit_code } = await csv.run(path, '--grant', '12', '--retry-rejected', '1');
    expect(exit_code).toBe(0);
    expect(csv.gateway.balances.get('a')).toBe(2);
  }
});

it('the retry happened when the row did: in its column, else when it was rejected', async () => {
  const path = await csv.file(['who,units,when', 'a,1,2026-01-01', 'b,1,2026-01-02']);
  await csv.run(path, '--occurred-at', 'when');
  await csv.run(path, '--name', 'untimed');
  for (const account of ['a', 'b']) give(account, 10);
  await csv.run(path, '--occurred-at', 'when', '--retry-rejected', '1');
  await csv.run(path, '--name', 'untimed', '--retry-rejected', '1');
  const entries = idsOf('a').map((id) => [id, csv.gateway.decided.get(id)!] as const);
  const [timed, untimed, timed_retry, untimed_retry] = entries;
  expect(timed![0]).toMatch(/^a\/usage\.csv:1:[0-9a-f]{8}$/);
  expect(timed_retry![0]).toBe(`${timed![0]}:retry-1`);
  expect(timed_retry![1].usage!.occurred_at).toBe('2026-01-01T00:00:00.000Z');
  expect(untimed_retry![1].usage!.occurred_at).toBe(untimed![1].decision.recorded_at);
});

it('keeps an id of full length within the length of an id, and apart from others', async () => {
  const [one, two] = [`${'x'.repeat(127)}1`, `${'x'.repeat(127)}2`];
  const path = await csv.file(['who,units,id', `a,1,${one}`, `a,1,${two}`]);
  await csv.run(path, '--request-id', 'id');
  give('a', 10);
  const { exit_code } = await csv.run(path, '--request-id', 'id', '--retry-rejected', '1');
  expect(exit_code).toBe(0);
  expect(csv.gateway.balances.get('a')).toBe(8);
  expect(Math.max(...idsOf('a').map((id) => id.length - 2))).toBe(128);
});

it('a request that stands in the file twice is asked for again once', async () => {
  const path = await csv.file(['who,units,id', 'a,5,r-1', 'a,5,r-1']);
  await csv.run(path, '--request-id', 'id');
  give('a', 100);
  const retry = ['--request-id', 'id', '--retry-rejected', '1', '--json'];
  const { lines } = await csv.run(path, ...retry);
  expect(summaryOf(lines)).toMatchObject({ consumed: 1, credits: '5', duplicates: 1, retried: 1 });
  expect(csv.gateway.balances.get('a')).toBe(95);
});

it('resumes where it was interrupted between a row and its retry', async () => {
  const path = await csv.file(['who,units', ...times(8, 'a,1')]);
  await csv.run(path);
  give('a', 100);
  // The first batch and its retry, the second batch, and its retry that fails.
  csv.gateway.faults.push(undefined, undefined, undefined, (_request, response) =>
    send(response, 400, {}),
  );
  const retry = ['--retry-rejected', '1', '--batch-size', '4', '--in-flight', '1', '--json'];
  const broken = await csv.run(path, ...retry);
  expect(broken.exit_code).toBe(2);
  expect(broken.lines).toContainEqual({ type: 'unfinished', resume_at_row: 5 });
  expect(summaryOf(broken.lines)).toMatchObject({ decided: 4, consumed: 4 });
  const { exit_code } = await csv.run(path, ...retry, '--from-row', '5');
  expect(exit_code).toBe(0);
  expect(csv.gateway.balances.get('a')).toBe(92);
});

it.each(['0', 'x', '100'])('could not run: --retry-rejected %s', async (text) => {
  const path = await csv.file(['who,units', 'a,1']);
  const { exit_code, stderr } = await csv.run(path, '--retry-rejected', text);
  expect({ exit_code, stderr }).toMatchObject({
    exit_code: 2,
    stderr: expect.stringContaining(`--retry-rejected ${text}`),
  });
});
