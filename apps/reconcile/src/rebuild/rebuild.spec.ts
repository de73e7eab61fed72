import { TOPICS } from '#libs/contracts';
import { allRows } from '../../../../test/fixtures/read-models.js';
import {
  grant,
  startAuditedLedger,
  usage,
  type AuditedLedger,
} from '../../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../../test/reconcile/command-line.js';

let ledger: AuditedLedger;
beforeEach(async () => {
  ledger = await startAuditedLedger();
  // Enough on one account for a snapshot.
  const uses = Array.from({ length: 1_100 }, (_, n) =>
    usage(`acct-${n < 1_000 ? 2 : n % 2}`, `u-${n}`),
  );
  await ledger.publish(TOPICS.requests, [
    grant('acct-0', 'g-1', 30),
    grant('acct-2', 'g-1', 9_000),
    ...uses,
  ]);
  await ledger.settle();
});
afterEach(() => ledger.drop());

const rebuild = (...argv: string[]) =>
  commandLine(['rebuild', ...argv, '--json'], { engines: ledger });

const schemas = async () => {
  const sql = `select nspname as name from pg_namespace where nspname like 'read%' order by 1`;
  return (await ledger.pool.query<{ name: string }>(sql)).rows.map(({ name }) => name);
};

it('I10: makes the same tables out of the streams and puts them in place', async () => {
  const before = await allRows(ledger.pool);
  const { exit_code, lines } = await rebuild();
  expect(exit_code).toBe(0);
  expect(lines.at(-1)).toEqual({ type: 'rebuilt', schema: 'read', replaced: true, differing: [] });
  expect(lines.at(-2)).toMatchObject({
    type: 'digests',
    live: { entries: { rows: 1_102 } },
    next: { entries: { rows: 1_102 } },
  });
  expect(await schemas()).toEqual(['read', 'read_previous']);
  expect(await allRows(ledger.pool)).toEqual(before);
  expect((await commandLine(['verify'], { engines: ledger })).exit_code).toBe(0);
});

it('does so while the ledger goes on', async () => {
  let stop = false;
  const going_on = (async () => {
    for (let n = 0; !stop; n += 1) {
      await ledger.publish(TOPICS.usage, [usage('acct-2', `live-${n}`)]);
      await ledger.settle();
    }
  })();
  for (let n = 0; n < 3; n += 1) {
    expect(await rebuild()).toMatchObject({ exit_code: 0, stderr: '' });
  }
  stop = true;
  await going_on;
  await ledger.settle();
  expect((await commandLine(['verify'], { engines: ledger })).exit_code).toBe(0);
});

it.each(['accounts', 'entries', 'grants', 'snapshots', 'usage_totals'])(
  'finds a row that is missing in %s, keeps both, and replaces when told',
  async (table) => {
    const first = `(select ctid from read.${table} limit 1)`;
    await ledger.pool.query(`delete from read.${table} where ctid = any(array${first})`);
    const { exit_code, lines } = await rebuild();
    expect(lines.at(-1)).toMatchObject({ type: 'rebuilt', replaced: false, differing: [table] });
    expect(exit_code).toBe(1);
    expect(await schemas()).toEqual(['read', 'read_next']);
    expect(await rebuild('--accept-differences')).toMatchObject({ exit_code: 0 });
    expect((await commandLine(['verify'], { engines: ledger })).exit_code).toBe(0);
  },
);

it('fills another schema and leaves the live one in its place', async () => {
  const { exit_code, lines } = await rebuild('--into', 'read_check');
  expect(exit_code).toBe(0);
  expect(lines.at(-1)).toMatchObject({ schema: 'read_check', replaced: false, differing: [] });
  expect(await schemas()).toEqual(['read', 'read_check']);
  expect(await allRows(ledger.pool, 'read_check')).toEqual(await allRows(ledger.pool));

  const again = await commandLine(['rebuild', '--into', 'read_check'], { engines: ledger });
  expect(again.exit_code).toBe(2);
  expect(again.stderr).toContain(
    'give --into another name, or drop what an earlier rebuild left in it (drop schema read_check',
  );
  const live = await commandLine(['rebuild', '--into', 'read'], { engines: ledger });
  expect(live.stderr).not.toContain('drop');
});

it('shows the first row that differs, with both sides', async () => {
  await ledger.pool.query(`update read.accounts set available = 7 where account_id = 'acct-2'`);
  const { exit_code, lines } = await rebuild('--into', 'read_check');
  expect(exit_code).toBe(1);
  expect(lines.find(({ type }) => type === 'difference')).toMatchObject({
    table: 'accounts',
    live: { account_id: 'acct-2', available: 7 },
    next: { account_id: 'acct-2', available: 8_000 },
  });
});

it('says in words what it did', async () => {
  const { stdout } = await commandLine(['rebuild'], { engines: ledger });
  expect(stdout).toMatch(/^entries +1,102 +1,102 +same /m);
  expect(stdout).toContain('replaced; the tables before are kept in read_previous');
});

it('could not run: a schema that is there, or no name of one', async () => {
  const there = await commandLine(['rebuild', '--into', 'ops'], { engines: ledger });
  expect(there).toMatchObject({ exit_code: 2, stdout: '' });
  expect(there.stderr).toContain('the schema ops is there already: give --into another name\n');
  const odd = await commandLine(['rebuild', '--into', 'a b'], { engines: ledger });
  expect(odd).toMatchObject({ exit_code: 2, stdout: '' });
  const reserved = await commandLine(['rebuild', '--into', 'pg_x'], { engines: ledger });
  expect(reserved.exit_code).toBe(2);
  expect(reserved.stderr).toMatch(/^usage-ledger: --into pg_x: Postgres keeps names .*\n$/);
});
