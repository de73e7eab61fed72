import { TOPICS } from '#libs/contracts';
import { parkAccount } from '#libs/read-models';
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

const park = () =>
  parkAccount(ledger.pool, {
    tenant_id: 'dev',
    account_id: 'alice',
    reason: 'a test',
    source: { topic: TOPICS.requests, partition: 0, offset: 0 },
  });

/** Every message of a topic, in order. */
async function messagesOn(topic: string) {
  const all = [];
  for await (const batch of ledger.bus.scan(topic)) all.push(...batch);
  return all;
}

describe('dead-letters list', () => {
  const reasons = (lines: Record<string, unknown>[]) =>
    lines
      .filter(({ type }) => type === 'dead_letter')
      .map(({ reason }) => String(reason))
      .sort((a, b) => a.localeCompare(b));

  it('shows all of them', async () => {
    const { exit_code, lines } = await run('dead-letters', 'list', '--json');
    expect(exit_code).toBe(0);
    expect(reasons(lines)).toEqual(['conflict', 'undecodable', 'undecodable']);
  });

  it.each([
    [['--cursor', 'zzz'], 'usage-ledger: --cursor is not one that was handed out\n'],
    [['--limit', 'x'], 'usage-ledger: --limit x: must be a whole number from 1 to 500\n'],
  ])('says which option is wrong: %j', async (options, stderr) => {
    expect(await run('dead-letters', 'list', ...options)).toMatchObject({ exit_code: 2, stderr });
  });

  it('narrows them down by tenant and reason', async () => {
    const of_dev = await run('dead-letters', 'list', '--tenant', 'dev', '--json');
    expect(reasons(of_dev.lines)).toEqual(['conflict', 'undecodable']);
    const conflicts = await run('dead-letters', 'list', '--reason', 'conflict', '--json');
    expect(reasons(conflicts.lines)).toEqual(['conflict']);
    expect((await run('dead-letters', 'list', '--reason', 'odd')).exit_code).toBe(2);
  });

  it('goes page by page', async () => {
    const first = await run('dead-letters', 'list', '--limit', '2', '--json');
    expect(reasons(first.lines)).toHaveLength(2);
    const { next_cursor } = first.lines[0]!;
    const second = await run('dead-letters', 'list', '--cursor', String(next_cursor), '--json');
    expect(reasons(second.lines)).toHaveLength(1);
    expect(second.lines[0]).toEqual({ type: 'page', next_cursor: null });
  });

  it('prints a table', async () => {
    const { stdout } = await run('dead-letters', 'list', '--reason', 'conflict');
    expect(stdout).toMatch(/^message +broker time +key +reason +closed +detail$/m);
    expect(stdout).toMatch(
      /^ledger\.requests\/1\/2 .* dev\/alice +conflict .*first decided as v1:/m,
    );
  });
});

describe('redrive', () => {
  it('decides in their order what came after an account was parked, and nothing twice', async () => {
    await park();
    await ledger.publish(TOPICS.usage, [
      usage('alice', 'u-2', { quantity: 6 }),
      usage('alice', 'u-1'),
      usage('alice', 'u-3', { quantity: 5 }),
    ]);
    await ledger.settle();

    const still_parked = await run('redrive');
    expect(still_parked).toMatchObject({ exit_code: 0 });
    expect(still_parked.stdout).toContain('3 left: their accounts are parked');

    expect(await run('unpark', 'alice')).toMatchObject({ exit_code: 0 });
    expect((await run('redrive')).stdout).toBe('3 dead letters published again\n');
    await ledger.settle();
    const { lines } = await run('replay', 'alice', '--json');
    expect(lines.slice(3).map(({ event, available }) => [event, available])).toMatchObject([
      [{ type: 'UsageConsumed', request_id: 'u-2' }, '3'],
      [{ type: 'UsageRejected', request_id: 'u-3' }, '3'],
    ]);
    expect((await run('verify')).exit_code).toBe(0);
    expect((await run('redrive')).stdout).toBe('0 dead letters published again\n');
  });

  it('publishes the original bytes, key and headers; nobody waits for the answer', async () => {
    await ledger.bus.publish(TOPICS.usage, [
      { key: 'dev/alice', value: ' {"odd":"\u00e9"} ', headers: { a: 'b', reply_to: 'gone' } },
      { key: 'dev/alice', value: '{}' },
    ]);
    await ledger.settle();
    const before = await messagesOn(TOPICS.usage);
    await run('redrive', '--reason', 'invalid_request', '--account', 'alice');
    const again = (await messagesOn(TOPICS.usage)).filter(
      ({ offset, partition }) =>
        !before.some((known) => known.offset === offset && known.partition === partition),
    );
    expect(again.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual([
      { key: 'dev/alice', value: ' {"odd":"\u00e9"} ', headers: { a: 'b' } },
      { key: 'dev/alice', value: '{}', headers: {} },
    ]);
  });

  it('decides usage without a time as of its first message, in its billing period', async () => {
    await park();
    await ledger.publish(TOPICS.usage, [usage('alice', 'u-2', { occurred_at: undefined })]);
    await ledger.settle();
    ledger.now_ms += 30 * 86_400_000;
    await run('unpark', 'alice');
    await run('redrive');
    await ledger.settle();
    const { lines } = await run('replay', 'alice', '--json');
    expect(lines.at(-1)).toMatchObject({
      event: {
        request_id: 'u-2',
        period: '2026-01',
        occurred_at: expect.stringMatching(/^2026-01-31T12/),
        recorded_at: expect.stringMatching(/^2026-03-02T12/),
      },
    });
    expect((await run('verify')).exit_code).toBe(0);
  });

  it('takes one by its coordinate, once', async () => {
    const id = 'ledger.requests/1/3';
    await ledger.bus.publish(TOPICS.requests, [{ key: 'dev/alice', value: '{}' }]);
    await ledger.settle();
    expect((await run('redrive', '--id', id)).stdout).toBe('1 dead letter published again\n');
    await ledger.settle();
    const { exit_code, stderr } = await run('redrive', '--id', id);
    expect(exit_code).toBe(3);
    expect(stderr).toContain(`${id} is no dead letter of a request, or was redriven before`);
    expect(await run('redrive', '--id', 'nonsense')).toMatchObject({
      exit_code: 2,
      stderr: expect.stringContaining('--id nonsense: must be topic/partition/offset'),
    });
  });

  it('takes those of one tenant when it is said', async () => {
    await ledger.bus.publish(TOPICS.usage, [
      { key: 'dev/alice', value: '{}' },
      { key: 'other/bob', value: '{}' },
    ]);
    await ledger.settle();
    const all = ['redrive', '--reason', 'invalid_request'];
    expect((await run(...all, '--tenant', 'nobody')).stdout).toBe(
      '0 dead letters published again\n',
    );
    expect((await run(...all, '--tenant', 'dev')).stdout).toBe('1 dead letter published again\n');
  });

  it.each(['undecodable', 'wrong_key', 'wrong_topic', 'conflict', 'too_large'])(
    'refuses what no redrive can help, and says why: %s',
    async (reason) => {
      const { exit_code, stderr } = await run('redrive', '--reason', 'unknown_schema', reason);
      expect(exit_code).toBe(2);
      expect(stderr).toMatch(new RegExp(`^usage-ledger: ${reason} is not redriven: \\w+ .+\n$`));
      expect((await run('redrive', '--help')).stdout).toMatch(new RegExp(`Refused[^.]*${reason}`));
    },
  );

  it('refuses it by its coordinate as well, and leaves it as it is', async () => {
    const before = await messagesOn(TOPICS.requests);
    const { exit_code, stderr } = await run('redrive', '--id', 'ledger.requests/1/2');
    expect(exit_code).toBe(2);
    expect(stderr).toContain('conflict is not redriven: its id was decided with other content');
    expect(await messagesOn(TOPICS.requests)).toEqual(before);
    const open = await run('dead-letters', 'list', '--reason', 'conflict', '--json');
    expect(open.lines.filter(({ type }) => type === 'dead_letter')).toHaveLength(1);
  });

  it('warns of what only another writer may decide', async () => {
    await ledger.bus.publish(TOPICS.usage, [{ key: 'dev/alice', value: '{}' }]);
    await ledger.settle();
    const { exit_code, stdout, stderr } = await run('redrive', '--reason', 'invalid_request');
    expect({ exit_code, stdout }).toEqual({
      exit_code: 0,
      stdout: '1 dead letter published again\n',
    });
    expect(stderr).toContain('1 of them were invalid_request: the same bytes are refused again');
    expect((await run('redrive', '--reason', 'unknown_schema')).stderr).toBe('');
    const occurred_at = '2999-01-01T00:00:00.000Z';
    await ledger.publish(TOPICS.requests, [usage('alice', 'u-far', { occurred_at })]);
    await ledger.settle();
    const ahead = await run('redrive', '--reason', 'occurred_in_future');
    expect(ahead.stderr).toContain('1 of them were occurred_in_future: the same bytes are refused');
  });

  it('leaves by default what would only come back', async () => {
    expect((await run('redrive')).stdout).toBe('0 dead letters published again\n');
  });
});

describe('status and unpark', () => {
  it('tells who is behind and what waits for a person', async () => {
    await park();
    await ledger.publish(TOPICS.usage, [usage('alice', 'u-9'), usage('carol', 'u-1')]);
    const { exit_code, lines } = await run('status', '--json');
    expect(exit_code).toBe(0);
    expect(lines).toMatchObject([
      {
        type: 'status',
        writer: { lag: { 'ledger.usage': 2, 'ledger.requests': 0 } },
        projector: { events: 2, behind: 0, recorded_at: '2026-01-31T12:00:00.000Z' },
        dead_letters: {
          open: [
            { reason: 'undecodable', letters: 2 },
            { reason: 'conflict', letters: 1 },
          ],
          not_filed: { 'ledger.dead-letters': 0 },
        },
        parked_accounts: [{ account_id: 'alice', reason: 'a test' }],
      },
    ]);
    await ledger.decide();
    const { stdout } = await run('status');
    expect(stdout).toContain('writer         0 requests wait');
    expect(stdout).toMatch(/projector +2 events projected, 1 behind/);
    expect(stdout).toMatch(/dead letters +3 open \(undecodable 2, conflict 1\), 1 not filed yet/);
    expect(stdout).toMatch(/dev\/alice since .*: a test/);
  });

  it('unparks an account whose stream folds', async () => {
    await park();
    expect((await run('unpark', 'alice')).stdout).toContain('redrive --account alice');
    const { exit_code, stderr } = await run('unpark', 'alice');
    expect(exit_code).toBe(3);
    expect(stderr).toContain('dev/alice is not parked');
  });

  it('leaves one parked whose stream still contradicts itself', async () => {
    await park();
    const events = ledger.log.streams.get('account-dev/alice')!;
    events[1] = { ...events[1]!, data: '{}' };
    expect(await run('unpark', 'alice')).toMatchObject({ exit_code: 1 });
    expect((await run('status')).stdout).toContain('dev/alice since');
  });
});
