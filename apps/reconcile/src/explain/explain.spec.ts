import { TOPICS } from '#libs/contracts';
import {
  grant,
  publishPrices,
  startAuditedLedger,
  usage,
  type AuditedLedger,
} from '../../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../../test/reconcile/command-line.js';

let ledger: AuditedLedger;
beforeAll(async () => {
  ledger = await startAuditedLedger();
  const items = [
    { operation: 'llm.input_tokens', quantity: 374 },
    { operation: 'llm.output_tokens', quantity: 1_044 },
  ];
  await ledger.publish(TOPICS.requests, [
    grant('alice', 'g-1', 1_000, { paid: { amount_minor: 4_900, currency: 'EUR' } }),
    grant('alice', 'g-2', 3, { expires_at: '2026-02-01T00:00:00Z' }),
    grant('alice', 'g-3', 3, {
      expires_at: '2026-01-01T00:00:00Z',
      paid: { amount_minor: 500, currency: 'EUR' },
    }),
    usage('alice', 'u-1', { items, user_id: 'ann', metadata: { model: 'x-1' } }),
    usage('alice', 'u-2', { operation: 'image.generation', quantity: 100 }),
    usage('alice', 'u-3', { operation: 'teleport' }),
    grant('alice', 'g-4', 5, { expires_at: '2026-02-01T00:00:00Z' }),
    publishPrices('p-1', 'b-2', {
      'llm.input_tokens': { credits: 1, per: 1_000, fixed: 2 },
      'image.generation': { credits: 20 },
      'text.generation': { credits: 1 },
    }),
    publishPrices('p-2', 'b-2', { image: { credits: 21 } }),
  ]);
  await ledger.settle();
  ledger.now_ms += 86_400_000;
  await ledger.publish(TOPICS.usage, [usage('alice', 'u-4')]);
  await ledger.settle();
});
afterAll(() => ledger.drop());

const explain = (...argv: string[]) => commandLine(['explain', ...argv], { engines: ledger });

const told = async (request_id: string) =>
  (await explain('alice', request_id)).stdout
    .replace(/[0-9a-f]{64}/, '<chain>')
    .trimEnd()
    .split('\n');

it('explains a charge down to message and event', async () => {
  expect(await told('u-1')).toEqual([
    'u-1 on alice: charged 5 credits',
    'about        user ann, model x-1',
    '  llm.input_tokens   374 × 1 / 1,000 = 0.374, rounded up = 1',
    '  llm.output_tokens  1,044 × 3 / 1,000 = 3.132, rounded up = 4',
    'price book   launch',
    'period       2026-01 (occurred at 2026-01-31T11:00:00.000Z)',
    'burnt        3 of g-2, 2 of g-1',
    'available    1,003 → 998',
    'reserved     0 → 0',
    'decided at   2026-01-31T12:00:00.000Z',
    'message      ledger.requests/1/3',
    'event        account-dev/alice@3, the stream has the same bytes',
    'chain        <chain>',
  ]);
});

it('explains a rejection with price and shortfall', async () => {
  const [verdict, line] = await told('u-2');
  expect(verdict).toBe(
    'u-2 on alice: rejected, insufficient_credits: the price is more than what is available: ' +
      'it costs 2,000, 1,002 are missing',
  );
  expect(line).toBe('  image.generation  100 × 20 = 2,000');
  expect((await told('u-3'))[0]).toContain(
    'rejected, unknown_operation (teleport): the price book',
  );
});

it('explains grants', async () => {
  expect((await told('g-1'))[0]).toBe(
    'g-1 on alice: granted 1,000 credits (pack, 4,900 minor units of EUR paid), counts at once, ' +
      'never expires, priority 100',
  );
});

it('explains a rejected grant with what was asked and paid: the money must be found again', async () => {
  expect((await told('g-3'))[0]).toBe(
    'g-3 on alice: grant rejected, already_expired: the grant would end before it counts; ' +
      'asked for 3 credits (pack, 500 minor units of EUR paid), counts from 2026-01-31T12:00:00.000Z, ' +
      'expires at 2026-01-01T00:00:00.000Z',
  );
});

it('explains the publication of a price book, out of its stream', async () => {
  const published = await explain('$pricebook', 'p-1');
  expect(published.exit_code).toBe(0);
  expect(
    published.stdout
      .replace(/[0-9a-f]{64}/, '<chain>')
      .trimEnd()
      .split('\n'),
  ).toEqual([
    'p-1 on $pricebook: published price book b-2, in force from 2026-01-31T13:00:00.000Z',
    '  image.generation  20 credits',
    '  llm.input_tokens  1 credit per 1,000, rounded up, and 2 for each line',
    '  text.generation   1 credit',
    'decided at   2026-01-31T12:00:00.000Z',
    expect.stringMatching(/^message {6}ledger\.requests\/\d\/\d$/),
    'event        pricebook-dev@1',
    'chain        <chain>',
  ]);
  const rejected = await explain('$pricebook', 'p-2');
  expect(rejected.stdout).toContain(
    'p-2 on $pricebook: rejected, version_exists: the price book has a version of that name; ' +
      'asked for price book b-2, in force from 2026-01-31T13:00:00.000Z\n',
  );
  const { lines } = await explain('$pricebook', 'p-2', '--json');
  expect(lines).toMatchObject([
    { type: 'explanation', decision: { outcome: 'rejected' }, entry: { revision: 2 } },
  ]);
});

it('not found: a publication that nobody asked for', async () => {
  const { exit_code, stderr } = await explain('$pricebook', 'p-9');
  expect(exit_code).toBe(3);
  expect(stderr).toContain('tenant dev has no decision for the publication p-9');
});

it('tells what fell due before it', async () => {
  expect(await told('u-4')).toEqual(
    expect.arrayContaining([
      'due before   5 of g-4 expired at 2026-02-01T00:00:00.000Z',
      'available    998 → 997',
    ]),
  );
});

it('says the same as JSON', async () => {
  const { lines, exit_code } = await explain('alice', 'u-1', '--json');
  expect(exit_code).toBe(0);
  expect(lines).toMatchObject([
    {
      type: 'explanation',
      stream: 'account-dev/alice',
      decision: { outcome: 'consumed', credits: '5', revision: 3 },
      balance_before: { available: '1003' },
      entry: { revision: 3, event: { source: { topic: 'ledger.requests', offset: 3 } } },
    },
  ]);
});

it('not found: nothing by that id, and not for another tenant', async () => {
  const unknown = await explain('alice', 'u-9');
  expect(unknown).toMatchObject({ exit_code: 3, stdout: '' });
  expect(unknown.stderr).toContain('alice has no decision for u-9');
  const other = await explain('alice', 'u-1', '--tenant', 'other');
  expect(other).toMatchObject({ exit_code: 3 });
  expect(other.stderr).toContain('tenant other, account alice has no decision for u-1');
});

it('mismatch: the stream has another event there', async () => {
  const events = ledger.log.streams.get('account-dev/alice')!;
  const [kept] = events.splice(3, 1, { ...events[3]!, data: events[2]!.data });
  const { exit_code, stderr } = await explain('alice', 'u-1');
  events[3] = kept!;
  expect(exit_code).toBe(1);
  expect(stderr).toContain('account-dev/alice@3, but the stream has another event there');
});

const EMBEDDED = {
  KAFKA_BROKERS: 'embedded',
  EVENTSTORE_URL: 'embedded',
  POSTGRES_URL: 'embedded',
};

it.each([
  { POSTGRES_URL: 'postgres://db' },
  { KAFKA_BROKERS: 'broker:9092' },
  { EVENTSTORE_URL: 'esdb://store:2113' },
])('wants the tenant said where an engine is a server: %j', async (server) => {
  // A wrong one would say that nothing was decided.
  const env = { ...EMBEDDED, ...server };
  const { exit_code, stderr } = await commandLine(['explain', 'alice', 'u-1'], {
    engines: ledger,
    env,
  });
  expect({ exit_code, stderr }).toMatchObject({
    exit_code: 2,
    stderr: expect.stringContaining('--tenant'),
  });
});

it('means the tenant of the development key where all engines are embedded', async () => {
  const run = await commandLine(['explain', 'alice', 'u-1'], { engines: ledger, env: EMBEDDED });
  expect(run).toMatchObject({ exit_code: 0 });
});
