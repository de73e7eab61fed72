import { TOPICS } from '#libs/contracts';
import {
  grant,
  startAuditedLedger,
  usage,
  type AuditedLedger,
} from '../../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../../test/reconcile/command-line.js';

const HOUR_MS = 3_600_000;

let ledger: AuditedLedger;
beforeEach(async () => {
  ledger = await startAuditedLedger();
  ledger.now_ms = Date.now() - 60_000;
  await ledger.publish(TOPICS.requests, [grant('alice', 'g-1', 10)]);
  await ledger.settle();
});
afterEach(() => ledger.drop());

const run = (...argv: string[]) => commandLine(argv, { engines: ledger });

/** Publishes while the broker's clock is ahead, which is right again afterwards. */
async function publishAhead(ahead_ms: number, ...requests: Parameters<typeof ledger.publish>[1][]) {
  ledger.now_ms += ahead_ms;
  for (const one of requests) await ledger.publish(TOPICS.usage, one);
  ledger.now_ms -= ahead_ms;
}

const chargesOf = async (account: string) => {
  const { lines } = await run('replay', account, '--json');
  const events = lines.flatMap(({ event }) => (event ? [event as Record<string, string>] : []));
  return events.filter(({ type }) => type === 'UsageConsumed');
};

const AHEAD = 'ledger.usage/1/0';

describe('set-aside', () => {
  beforeEach(async () => {
    await publishAhead(
      HOUR_MS,
      [usage('alice', 'u-1', { occurred_at: undefined })],
      [usage('alice', 'u-2')],
    );
    await ledger.publish(TOPICS.usage, [usage('alice', 'u-3')]);
  });

  it('lists what waits for the time of its stamp', async () => {
    const { exit_code, stdout } = await run('set-aside');
    expect(exit_code).toBe(0);
    expect(stdout).toMatch(
      /^message +stamped +key\nledger\.usage\/1\/0 .*Z +dev\/alice\n.*\/1\/1 /,
    );
    expect((await run('set-aside', '--json')).lines).toMatchObject([
      { type: 'waiting', waiting: 2 },
      { type: 'ahead', source: { topic: TOPICS.usage, partition: 1, offset: 0 } },
      { type: 'ahead', source: { offset: 1 } },
    ]);
  });

  it('lets the partition flow; what was set aside is charged once, by its redrive', async () => {
    expect(await run('set-aside', '--id', AHEAD, '--id', 'ledger.usage/1/1')).toMatchObject({
      exit_code: 0,
      stdout: expect.stringMatching(/^2 requests set aside: .*\n.*redrive --reason stamped_in/),
    });
    expect((await run('set-aside')).stdout).toContain('no request waits');
    await ledger.settle();
    expect(await chargesOf('alice')).toMatchObject([{ request_id: 'u-3' }]);
    expect((await run('verify')).exit_code).toBe(0);

    // Real time comes to the stamps.
    ledger.now_ms += 2 * HOUR_MS;
    expect((await run('redrive')).stdout).toBe('0 dead letters published again\n');
    expect((await run('redrive', '--reason', 'stamped_in_future')).stdout).toContain('2 dead');
    await ledger.settle();
    expect(await chargesOf('alice')).toMatchObject([
      { request_id: 'u-3' },
      { request_id: 'u-1' },
      { request_id: 'u-2' },
    ]);
    expect((await run('verify')).exit_code).toBe(0);
  });

  it('takes usage without a time as of when it was filed, not of the wrong stamp', async () => {
    await run('set-aside', '--all');
    await ledger.settle();
    const before = new Date(Date.now() + 60_000).toISOString();
    await run('redrive', '--reason', 'stamped_in_future');
    await ledger.settle();
    const charge = (await chargesOf('alice')).find(({ request_id }) => request_id === 'u-1');
    expect(charge!['occurred_at']! < before).toBe(true);
  });

  it.each([
    ['ledger.usage/1/2', 'one with the right stamp'],
    ['ledger.requests/1/0', 'one that was decided'],
    ['ledger.usage/1/77', 'none'],
  ])('refuses %s, %s, and sets nothing aside', async (id) => {
    const { exit_code, stderr } = await run('set-aside', '--id', AHEAD, id);
    expect(exit_code).toBe(3);
    expect(stderr).toContain(`${id} does not wait for a writer, is not stamped after`);
    expect((await run('set-aside', '--json')).lines).toMatchObject([{ waiting: 2 }, {}, {}]);
  });

  it('refuses a second time, and both options at once', async () => {
    await run('set-aside', '--id', AHEAD);
    expect(await run('set-aside', '--id', AHEAD)).toMatchObject({
      exit_code: 3,
      stderr: expect.stringContaining('or was set aside before'),
    });
    expect(await run('set-aside', '--id', AHEAD, '--all')).toMatchObject({
      exit_code: 2,
      stderr: 'usage-ledger: give --id or --all, not both\n',
    });
  });
});

it('leaves what goes on by itself within a minute', async () => {
  await publishAhead(11 * 60_000 + 30_000, [usage('alice', 'u-1')]);
  expect((await run('set-aside')).stdout).toContain('no request waits');
});
