import { TOPICS } from '#libs/contracts';
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
  await ledger.publish(TOPICS.requests, [
    grant('alice', 'g-1', 10),
    usage('alice', 'u-1'),
    usage('alice', 'u-1', { quantity: 2 }),
  ]);
  await ledger.bus.publish(TOPICS.usage, [
    { key: 'dev/alice', value: Buffer.from([0xff, 0xfe]) },
    { key: 'other/bob', value: 'poison' },
  ]);
  await ledger.settle();
});
afterEach(() => ledger.drop());

const run = (...argv: string[]) => commandLine(argv, { engines: ledger });

describe('dead-letters dismiss', () => {
  const NOTE = ['--by', 'alice', '--why', 'ids were reused\nby a job'];
  const listed = async (...options: string[]) =>
    (await run('dead-letters', 'list', '--json', ...options)).lines
      .filter(({ type }) => type === 'dead_letter')
      .map(({ reason }) => reason);

  it('closes a conflict for good; it is kept with who and why, and a rebuild leaves it', async () => {
    expect(await run('dead-letters', 'dismiss', '--reason', 'conflict', ...NOTE)).toMatchObject({
      exit_code: 0,
      stdout: '1 dead letter dismissed\n',
    });
    expect((await run('rebuild')).exit_code).toBe(0);
    expect(await listed('--reason', 'conflict')).toEqual([]);
    expect(await listed()).toHaveLength(2);
    expect(await listed('--all')).toHaveLength(3);
    const { stdout } = await run('dead-letters', 'list', '--all', '--reason', 'conflict');
    expect(stdout).toMatch(/ dismissed \S+Z by alice: ids were reused by a job /);
    expect((await run('status')).stdout).toMatch(/dead letters +2 open \(undecodable 2\)/);
    expect((await run('verify')).exit_code).toBe(0);
  });

  it('says when nothing is open any more', async () => {
    await run('dead-letters', 'dismiss', '--reason', 'conflict', 'undecodable', ...NOTE);
    expect((await run('dead-letters', 'list')).stdout).toBe('no open dead letters\n');
  });

  it('takes one by its coordinate, once, and it can be redriven by it alone', async () => {
    await ledger.bus.publish(TOPICS.requests, [{ key: 'dev/alice', value: '{}' }]);
    await ledger.settle();
    const id = ['--id', 'ledger.requests/1/3'];
    expect((await run('dead-letters', 'dismiss', ...id, ...NOTE)).exit_code).toBe(0);
    expect(await run('dead-letters', 'dismiss', ...id, ...NOTE)).toMatchObject({
      exit_code: 3,
      stderr: 'usage-ledger: ledger.requests/1/3 is no open dead letter\n',
    });
    expect((await run('redrive', '--reason', 'invalid_request')).stdout).toContain('0 dead');
    expect((await run('redrive', ...id)).stdout).toContain('1 dead letter published again');
  });

  it('narrows it down by account and tenant', async () => {
    const account = (...of: string[]) => ['dismiss', '--account', 'alice', ...of, ...NOTE];
    const { stdout } = await run('dead-letters', ...account('--tenant', 'other'));
    expect(stdout).toBe('0 dead letters dismissed\n');
    expect((await run('dead-letters', ...account())).stdout).toBe('2 dead letters dismissed\n');
  });

  it.each([
    [NOTE, /give --id, --reason or --account/],
    [['--reason', 'conflict', '--by', 'alice'], /required option '--why <why>'/],
    [['--reason', 'conflict', '--why', 'done'], /required option '--by <who>'/],
    [['--reason', 'conflict', '--by', ' ', '--why', 'done'], /--by and --why must not be empty/],
  ])('wants to know which, who and why: %j', async (options, told) => {
    const { exit_code, stderr } = await run('dead-letters', 'dismiss', ...options);
    expect(exit_code).toBe(2);
    expect(stderr).toMatch(told);
    expect(await listed()).toHaveLength(3);
  });
});
