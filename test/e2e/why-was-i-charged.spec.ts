import { TOPICS } from '#libs/contracts';
import { charge, eventually, explained, grant, statement, type Entry } from './asking.js';
import { publish, usageMessage } from './bus.js';
import { describeSystem, expectSound } from './suite.js';

interface CliExplanation {
  readonly stream: string;
  readonly entry: { readonly event: object; readonly revision: number; readonly chain: string };
  readonly decision: object;
  readonly balance_before: object;
}

interface ReplayedEvent {
  readonly revision: number;
  readonly available: string;
  readonly change: string;
  readonly chain: string;
}

const account_id = 'curious';

describeSystem('why was I charged?', (system) => {
  let entries: Entry[];
  beforeAll(async () => {
    const soon_ms = Date.now() + 4_000;
    const soon = new Date(soon_ms).toISOString();
    await grant(system(), 'asleep', { request_id: 'ends', credits: '30', expires_at: soon });
    await grant(system(), 'asleep', { request_id: 'begins', credits: '7', effective_at: soon });

    const next_year = new Date(soon_ms + 366 * 86_400_000).toISOString();
    const paid = { amount_minor: 1_900, currency: 'EUR' };
    await grant(system(), account_id, { request_id: 'pack', credits: '100', paid });
    await grant(system(), account_id, {
      request_id: 'promo',
      credits: '10',
      kind: 'promo',
      priority: 10,
      expires_at: next_year,
    });
    const items = [
      { operation: 'image.generation', quantity: 1 },
      { operation: 'llm.input_tokens', quantity: 374 },
    ];
    const about = { user_id: 'u-7', api_key_id: 'key-2', metadata: { model: 'large-2' } };
    await charge(system(), { account_id, request_id: 'page-1', items, ...about });
    await publish(system(), [
      usageMessage({ account_id, request_id: 'img-2', operation: 'image.generation' }),
    ]);
    await explained(system(), account_id, 'img-2');
    const { body } = await charge(system(), {
      account_id,
      request_id: 'vid-1',
      operation: 'video.generation',
    });
    entries = await statement(system(), account_id, Number(body['revision']));
  }, 120_000);

  it('one answer tells price, arithmetic, grants burnt, balances, message and event', async () => {
    expect(await explained(system(), account_id, 'page-1')).toMatchObject({
      account_id,
      request_id: 'page-1',
      decision: { outcome: 'consumed', credits: '21', revision: 2 },
      price: {
        price_book_version: expect.any(String),
        lines: [
          { operation: 'image.generation', arithmetic: '1 × 20 = 20', credits: '20' },
          {
            operation: 'llm.input_tokens',
            arithmetic: '374 × 1 / 1,000 = 0.374, rounded up = 1',
            credits: '1',
          },
        ],
      },
      grants_burnt: [
        { grant_id: 'promo', credits: '10' },
        { grant_id: 'pack', credits: '11' },
      ],
      balance_before: { available: '110' },
      balance_after: { available: '89' },
      source: { topic: TOPICS.requests },
      stream: { revision: 2, chain: expect.stringMatching(/^[0-9a-f]{64}$/) },
      invoice: { status: 'draft' },
      event: { user_id: 'u-7', api_key_id: 'key-2', metadata: { model: 'large-2' } },
    });
  });

  it('HTTP and the command line tell the same, for charges, rejections and grants', async () => {
    for (const request_id of ['pack', 'page-1', 'vid-1']) {
      const told = await explained(system(), account_id, request_id);
      const run = await system().cli(
        'explain',
        '--tenant',
        'dev',
        account_id,
        request_id,
        '--json',
      );
      expect(run.ending).toBe(0);
      const [explanation] = run.lines<CliExplanation>('explanation');
      const { entry, decision, balance_before, stream } = explanation!;
      expect(stream).toBe(`account-dev/${account_id}`);
      expect({ decision, balance_before, event: entry.event }).toEqual({
        decision: told['decision'],
        balance_before: told['balance_before'],
        event: told['event'],
      });
      expect({ revision: entry.revision, chain: entry.chain }).toEqual(told['stream']);
    }
  });

  it('a person reads it in words', async () => {
    const [charged, rejected] = await Promise.all([
      system().cli('explain', '--tenant', 'dev', account_id, 'page-1'),
      system().cli('explain', '--tenant', 'dev', account_id, 'vid-1'),
    ]);
    const { price } = await explained(system(), account_id, 'page-1');
    const { lines } = price as { lines: { operation: string; arithmetic: string }[] };
    const told = [
      'charged 21 credits',
      ...lines.map(({ operation, arithmetic }) => `${operation.padEnd(16)}  ${arithmetic}\n`),
      '10 of promo',
      '11 of pack',
      'large-2',
    ];
    for (const words of told) expect(charged.stdout).toContain(words);
    expect(rejected.stdout).toContain('insufficient_credits');
  });

  it('the coordinate leads to the message on the bus', async () => {
    const { source } = await explained(system(), account_id, 'img-2');
    const engines = await system().openEngines();
    const found: string[] = [];
    for await (const batch of engines.bus.scan(TOPICS.usage)) {
      for (const { topic, partition, offset, value } of batch) {
        const at = JSON.stringify({ topic, partition, offset });
        if (at === JSON.stringify(source)) found.push(String(value));
      }
    }
    await engines.close();
    expect(found.map((value) => JSON.parse(value) as object)).toMatchObject([
      { request_id: 'img-2', account_id },
    ]);
  });

  it('what was never asked has no explanation', async () => {
    const path = `/v1/accounts/${account_id}/requests/unknown`;
    expect(await system().call('GET', path)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
    const { ending, stderr } = await system().cli(
      'explain',
      '--tenant',
      'dev',
      account_id,
      'unknown',
    );
    expect(ending).toBe(3);
    expect(stderr).toContain('has no decision for unknown');
  });

  it('the statement tells every step, in pages or at once', async () => {
    expect(entries.map(({ what, request_id, credits }) => [what, request_id, credits])).toEqual([
      ['CreditsGranted', 'pack', '100'],
      ['CreditsGranted', 'promo', '10'],
      ['UsageConsumed', 'page-1', '21'],
      ['UsageConsumed', 'img-2', '20'],
      ['UsageRejected', 'vid-1', '0'],
    ]);
    const pages: Entry[] = [];
    for (let path: string | undefined = `/v1/accounts/${account_id}/statement?limit=2`; path;) {
      const { body } = await system().call('GET', path);
      pages.push(...(body['items'] as Entry[]));
      const cursor = body['next_cursor'] as string | null;
      path =
        cursor === null
          ? undefined
          : `/v1/accounts/${account_id}/statement?limit=2&cursor=${cursor}`;
    }
    expect(pages.reverse()).toEqual(entries);
  });

  it('the balance as it was, at every revision and moment, is what the statement says', async () => {
    for (const { revision, balance_after, when } of entries) {
      const path = `/v1/accounts/${account_id}/balance?as_of=`;
      const at_revision = await system().call('GET', `${path}${revision}`);
      expect(at_revision.body).toMatchObject({ ...balance_after, revision });
      const at_moment = await system().call('GET', `${path}${String(when)}`);
      const same = entries.filter((entry) => entry['when'] === when).at(-1)!;
      expect(at_moment.body).toMatchObject({ ...same.balance_after, revision: same.revision });
    }
  });

  it('replay folds the stream to the same balances', async () => {
    const run = await system().cli('replay', '--tenant', 'dev', account_id, '--json');
    expect(run.ending).toBe(0);
    const replayed = run.lines<ReplayedEvent>('event');
    expect(replayed.map(({ revision, available }) => [revision, available])).toEqual(
      entries.map(({ revision, balance_after }) => [revision, balance_after.available]),
    );
    expect(replayed.map(({ change }) => change)).toEqual(['100', '10', '-21', '-20', '0']);
    const { stream } = await explained(system(), account_id, 'img-2');
    expect(replayed[3]).toMatchObject(stream as object);
    const before = await system().cli(
      'replay',
      '--tenant',
      'dev',
      account_id,
      '--as-of',
      '2',
      '--json',
    );
    expect(before.lines('event')).toEqual(replayed.slice(0, 3));
  });

  it('read your own write: shown at once, or 503 when it is not there yet', async () => {
    const usage = { account_id, request_id: 'text-1', operation: 'text.generation' };
    const { body } = await charge(system(), usage);
    const revision = Number(body['revision']);
    const path = `/v1/accounts/${account_id}/balance?at_least=`;
    const shown = await system().call('GET', `${path}${revision}`);
    expect(shown.body).toMatchObject({ revision, available: '68' });
    expect(await system().call('GET', `${path}${revision + 1}`)).toMatchObject({
      status: 503,
      body: { code: 'not_yet_projected', at_least: revision + 1 },
    });
  });

  it('credits that end or begin are recorded although nobody touches the account', async () => {
    const asleep = await eventually('the sweep has recorded both', async () => {
      const found = await statement(system(), 'asleep', 1);
      return found.length >= 4 && found;
    });
    expect(asleep.slice(2)).toMatchObject([
      {
        what: 'GrantActivated',
        grant_id: 'begins',
        caused_by: expect.stringMatching(/^sys:sweep:/),
        credits: '7',
        balance_after: { available: '37' },
      },
      {
        what: 'CreditsExpired',
        grant_id: 'ends',
        caused_by: expect.stringMatching(/^sys:sweep:/),
        credits: '30',
        balance_after: { available: '7' },
      },
    ]);
    expect(asleep).toHaveLength(4);
  });

  it('bus, streams, read models and invoices agree', () => expectSound(system()));
});
