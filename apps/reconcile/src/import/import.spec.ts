import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine } from '../../../../test/reconcile/command-line.js';
import { send, startStandInGateway } from '../../../../test/reconcile/stand-in-gateway.js';

const KEY = 'a-key';
let folder: string;
let gateway: Awaited<ReturnType<typeof startStandInGateway>>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-'));
  gateway = await startStandInGateway(KEY);
});
afterEach(async () => {
  await gateway.close();
  await rm(folder, { recursive: true });
});

/** A file of `rows` rows `who,units`: accounts a0, a1, a2 in turn, one unit each. */
async function usageFile(rows: number, name = 'usage.csv'): Promise<string> {
  const path = join(folder, name);
  const lines = Array.from({ length: rows }, (_, n) => `a${n % 3},1`);
  await writeFile(path, ['who,units', ...lines, ''].join('\n'));
  return path;
}

const importing = (path: string, ...more: string[]) =>
  commandLine(['import', path, '--account', 'who', '--item', 'text.generation=units', ...more], {
    env: { LEDGER_URL: gateway.url, LEDGER_DEV_KEY: KEY },
  });

const summaryOf = (lines: Record<string, unknown>[]) =>
  lines.find((line) => line['type'] === 'summary');

it('sends every row once, waits for every decision and adds up', async () => {
  const path = await usageFile(2_500);
  const { exit_code, lines } = await importing(path, '--grant', '800', '--json');
  expect(exit_code).toBe(1);
  expect(summaryOf(lines)).toMatchObject({
    rows: 2_500,
    sent: 2_500,
    decided: 2_500,
    consumed: 2_400,
    rejected: 100,
    rejected_by_reason: { insufficient_credits: 100 },
    replayed: 0,
    credits: '2400',
    accounts_granted: 3,
  });
  expect([...gateway.balances.values()]).toEqual([0, 0, 0]);
  expect(gateway.decided.size).toBe(2_503);
  expect(gateway.calls.every(({ prefer }) => prefer === 'wait=30')).toBe(true);
});

it('replays in a second run and charges nothing again', async () => {
  const path = await usageFile(300);
  await importing(path, '--grant', '90');
  const { exit_code, lines } = await importing(path, '--grant', '90', '--json');
  expect(exit_code).toBe(1);
  expect(summaryOf(lines)).toMatchObject({
    decided: 300,
    consumed: 270,
    rejected: 30,
    replayed: 300,
    credits: '270',
    credits_replayed: '270',
  });
  expect(gateway.decided.size).toBe(303);
});

it('says in words what it came to', async () => {
  const { stdout, stderr } = await importing(await usageFile(1_200), '--grant', '300');
  const told = stdout.replace(/(?<=decisions per second +)[\d,]+/, '-').replaceAll(/ +/g, ' ');
  expect(told.split('\n')).toEqual([
    'requests sent 1,200',
    'decided 1,200',
    ' consumed 900',
    ' rejected 300 insufficient_credits 300',
    'replayed 0 decided before, by an earlier run or a try whose answer was lost',
    'credits 900 0 of them charged before',
    'decisions per second -',
    'accounts granted 3 one pack each',
    expect.stringContaining('with --retry-rejected 1'),
    '',
  ]);
  expect(stderr).toBe('');
});

it('ends with a mismatch when nothing of the file was charged', async () => {
  const path = await usageFile(30);
  const { exit_code, stdout } = await importing(path);
  expect(exit_code).toBe(1);
  expect(stdout).toContain('decided for ever');
});

it.each(['127.0.0.1:8080', 'ftp://ledger'])('could not run: LEDGER_URL=%s', async (LEDGER_URL) => {
  const argv = ['import', await usageFile(1), '--account', 'who', '--item', 'x=units'];
  const { exit_code, stderr } = await commandLine(argv, { env: { LEDGER_URL } });
  expect({ exit_code, stderr }).toMatchObject({
    exit_code: 2,
    stderr: expect.stringContaining('LEDGER_URL'),
  });
});

it('leaves bad rows out, names them and ends with a mismatch', async () => {
  const path = join(folder, 'bad.csv');
  await writeFile(path, 'who,units\na0,1\na0,one\na0,0\na 0,1\na0,666\na0,2\n');
  const { exit_code, stderr, stdout } = await importing(path, '--grant', '1000');
  expect(exit_code).toBe(1);
  expect(stderr).toBe(
    [
      'line 3: column units: "one" must be a whole number',
      'line 4: no quantity above 0',
      'line 5: column who: "a 0" must be 1 to 128 characters out of A-Z a-z 0-9 _ . : @ -',
      'line 6: column units: "666" must not be 666',
      '',
    ].join('\n'),
  );
  expect(stdout).toMatch(/^bad rows +4 +not charged$/m);
  expect(gateway.balances.get('a0')).toBe(997);
  expect((await importing(path, '--grant', '1000', '--skip-bad')).exit_code).toBe(0);
});

it('does not go on when the mapping is wrong', async () => {
  const path = await usageFile(500);
  const { exit_code, stderr } = await commandLine(
    ['import', path, '--account', 'const:a', '--item', 'text.generation=who'],
    { env: { LEDGER_URL: gateway.url, LEDGER_DEV_KEY: KEY } },
  );
  expect(exit_code).toBe(2);
  expect(stderr).toContain('100 bad rows');
  expect(gateway.calls).toEqual([]);
});

it('repeats with the same ids what may not have been accepted', async () => {
  gateway.faults.push(
    (_request, response) => send(response, 503, {}, { 'retry-after': '0' }),
    (request) => request.socket.destroy(),
    undefined,
    // Taken, but the answer is lost.
    (request, response) => {
      gateway.faults.length = 0;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"accep');
      setImmediate(() => request.socket.destroy());
    },
  );
  const path = await usageFile(30);
  const { exit_code, lines } = await importing(path, '--grant', '10', '--in-flight', '1', '--json');
  expect(exit_code).toBe(0);
  // The grants' call and the batch's, and each again after a fault.
  expect(gateway.calls.length).toBeGreaterThanOrEqual(5);
  expect(lines.filter(({ type }) => type === 'retry')).toHaveLength(1);
  expect(summaryOf(lines)).toMatchObject({ sent: 30, consumed: 30, replayed: 0, credits: '30' });
});

it('sends again what was accepted but not decided within the wait', async () => {
  gateway.decide_at_most.push(4, 0, 10);
  const { exit_code, lines } = await importing(
    await usageFile(20),
    '--account',
    'const:a',
    '--grant',
    '100',
    '--json',
  );
  expect(exit_code).toBe(0);
  const summary = { sent: 20, resent: 16 + 16 + 6, decided: 20, consumed: 20, replayed: 0 };
  expect(summaryOf(lines)).toMatchObject(summary);
  expect(gateway.balances.get('a')).toBe(80);
});

it('tells an id with other content from a replay', async () => {
  const path = join(folder, 'ids.csv');
  await writeFile(path, 'who,units,id\na0,1,r-1\na0,2,r-1\na0,1,r-1\n');
  const { exit_code, lines } = await importing(
    path,
    '--request-id',
    'id',
    '--grant',
    '9',
    '--json',
  );
  expect(exit_code).toBe(1);
  expect(summaryOf(lines)).toMatchObject({ decided: 3, consumed: 1, duplicates: 1, conflicts: 1 });
  expect(gateway.balances.get('a0')).toBe(8);
});

it('refuses another grant under the id of an earlier one', async () => {
  const path = await usageFile(3);
  await importing(path, '--grant', '10');
  const { exit_code, stderr } = await importing(path, '--grant', '11');
  expect(exit_code).toBe(2);
  expect(stderr).toContain('got a pack of another size from this file before (usage.csv:grant)');
});

it('can pass over rows, and gives them the same ids', async () => {
  const path = await usageFile(10);
  await importing(path, '--grant', '100', '--from-row', '8');
  const { lines } = await importing(path, '--grant', '100', '--json');
  expect(summaryOf(lines)).toMatchObject({ rows: 10, replayed: 3, consumed: 10 });
});

it('says where to resume when it cannot go on', async () => {
  gateway.faults.push(undefined, undefined, undefined, undefined, (_request, response) =>
    send(response, 400, { detail: 'no' }),
  );
  const path = await usageFile(10);
  const slowly = ['--batch-size', '4', '--in-flight', '1'];
  const { exit_code, stderr } = await importing(path, '--grant', '100', ...slowly);
  expect(exit_code).toBe(2);
  expect(stderr).toContain('or with --from-row 5');
  expect(stderr).toContain('HTTP 400, no');
});

it.each([
  [
    'a file that is not there',
    ['import', 'none.csv', '--account', 'a', '--item', 'x=y'],
    'none.csv',
  ],
  ['a missing option', ['import', 'none.csv', '--account', 'a'], '--item'],
  ['an unknown command', ['imprt'], 'imprt'],
  ['a bad grant', ['import', 'a', '--account', 'a', '--item', 'x=y', '--grant', '0'], '--grant 0'],
  [
    'no separator',
    ['import', 'a', '--account', 'a', '--item', 'x=y', '--delimiter', ''],
    '--delimiter',
  ],
  ['a bad name', ['import', 'a', '--account', 'a', '--item', 'x=y', '--name', 'a b'], '--name a b'],
])('could not run: %s', async (_name, argv, told) => {
  const { exit_code, stderr, stdout } = await commandLine(argv);
  expect({ exit_code, stdout }).toEqual({ exit_code: 2, stdout: '' });
  expect(stderr).toContain(told);
});

it.each([
  [';', ';'],
  ['\t', '\\t'],
])(
  'could not run: columns that are separated by %j, and goes on when told so',
  async (part, name) => {
    const path = join(folder, 'parted.csv');
    await writeFile(path, ['who', 'units'].join(part) + '\n' + ['alice', '2'].join(part) + '\n');
    const argv = ['import', path, '--account', 'who', '--item', 'x=units'];
    const env = { LEDGER_URL: gateway.url, LEDGER_DEV_KEY: KEY };
    const refused = await commandLine(argv, { env });
    expect(refused.exit_code).toBe(2);
    expect(refused.stderr).toContain(`separated by ${name}, give --delimiter '${name}'\n`);
    expect(gateway.calls).toEqual([]);
    const { stdout } = await commandLine([...argv, '--delimiter', name], { env });
    expect(stdout).toMatch(/^requests sent +1$/m);
  },
);

it('shows an example in its help', async () => {
  const { exit_code, stdout } = await commandLine(['import', '--help']);
  expect(exit_code).toBe(0);
  expect(stdout).toContain('usage-ledger import azure.csv --account spread:500');
});

it('does not hold the file in memory: reading waits for the gateway', async () => {
  const path = await usageFile(200_000, 'big.csv');
  expect((await readFile(path)).length).toBeGreaterThan(800_000);
  const interrupted = new AbortController();
  let calls = 0;
  gateway.faults.push(
    ...Array.from({ length: 4 }, () => () => {
      calls += 1;
      // All four calls hang: no more rows may be taken meanwhile.
      if (calls === 4) setTimeout(() => interrupted.abort(), 200);
    }),
  );
  const { exit_code, lines, stderr } = await commandLine(
    ['import', path, '--account', 'who', '--item', 'x=units', '--json'],
    { env: { LEDGER_URL: gateway.url, LEDGER_DEV_KEY: KEY }, signal: interrupted.signal },
  );
  expect(exit_code).toBe(2);
  expect(stderr).toContain('interrupted');
  expect(summaryOf(lines)).toMatchObject({ rows: 4_000, decided: 0 });
  expect(lines).toContainEqual({ type: 'unfinished', resume_at_row: 1 });
});
