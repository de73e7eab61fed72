import { TOPICS } from '#libs/contracts';
import {
  grant,
  startAuditedLedger,
  usage,
  type AuditedLedger,
} from '../../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../../test/reconcile/command-line.js';

let ledger: AuditedLedger;
beforeAll(async () => {
  ledger = await startAuditedLedger();
  await ledger.publish(TOPICS.requests, [
    grant('alice', 'g-1', 1_000, { expires_at: '2026-02-01T00:00:00Z' }),
    usage('alice', 'u-1', { operation: 'image.generation', quantity: 3 }),
    usage('alice', 'u-2', { quantity: 5_000 }),
  ]);
  await ledger.decide();
  ledger.now_ms += 86_400_000;
  await ledger.publish(TOPICS.requests, [usage('alice', 'u-3')]);
  await ledger.decide();
});
afterAll(() => ledger.drop());

const replay = (...argv: string[]) => commandLine(['replay', ...argv], { engines: ledger });

it('shows the balance after each event', async () => {
  const { exit_code, stdout } = await replay('alice');
  expect(exit_code).toBe(0);
  expect(stdout.replaceAll(/ {2,}/g, ' | ').split('\n')).toEqual([
    'account-dev/alice',
    'revision | recorded at | event | change | available | reserved | request',
    ' | 0 | 2026-01-31T12:00:00.000Z | CreditsGranted | +1,000 | 1,000 | 0 | g-1',
    ' | 1 | 2026-01-31T12:00:00.000Z | UsageConsumed | -60 | 940 | 0 | u-1',
    ' | 2 | 2026-01-31T12:00:00.000Z | UsageRejected | 0 | 940 | 0 | u-2',
    ' | 3 | 2026-02-01T12:00:00.000Z | CreditsExpired | -940 | 0 | 0 | (due, with u-3)',
    ' | 4 | 2026-02-01T12:00:00.000Z | UsageRejected | 0 | 0 | 0 | u-3',
    '',
  ]);
});

it.each([
  ['1', [0, 1]],
  ['4', [0, 1, 2, 3, 4]],
  ['2026-01-31T23:00', [0, 1, 2]],
  ['2026-02-01T12:00:00Z', [0, 1, 2, 3, 4]],
])('as of %s', async (as_of, revisions) => {
  const { lines } = await replay('alice', '--as-of', as_of, '--json');
  expect(lines.slice(1).map((line) => line['revision'])).toEqual(revisions);
});

it('could not run: no events, none that early, no moment', async () => {
  expect(await replay('bob')).toMatchObject({ exit_code: 3, stdout: '' });
  expect((await replay('alice', '--as-of', '2020-01-01')).stderr).toContain('at or before');
  expect((await replay('alice', '--as-of', 'soon')).stderr).toContain('--as-of soon');
});

it.each(['20261129', '2026', '5'])('not found: revision %s of a stream at 4', async (as_of) => {
  const { exit_code, stdout, stderr } = await replay('alice', '--as-of', as_of);
  expect({ exit_code, stdout }).toEqual({ exit_code: 3, stdout: '' });
  expect(stderr).toContain(
    `--as-of ${as_of} is beyond revision 4, the last of account-dev/alice; a date is written as 2026-01-31`,
  );
});

it('mismatch: a broken stream, up to the place where it breaks', async () => {
  const events = ledger.log.streams.get('account-dev/alice')!;
  const [kept] = events.splice(2, 1, { ...events[2]!, data: '{}' });
  const { exit_code, stdout, stderr } = await replay('alice');
  events[2] = kept!;
  expect(exit_code).toBe(1);
  expect(stdout.trimEnd().split('\n')).toHaveLength(4);
  expect(stderr).toContain('account-dev/alice at revision 2: the chain is broken');
});
