import { accountStream, priceBookStream, TOPICS, type AccountKey } from '#libs/contracts';
import {
  grant,
  publishPrices,
  startAuditedLedger,
  sweep,
  usage,
  type AuditedLedger,
} from '../../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../../test/reconcile/command-line.js';
import { appendText, forge } from '../../../../test/reconcile/planting.js';

let ledger: AuditedLedger;
beforeEach(async () => {
  ledger = await startAuditedLedger();
});
afterEach(() => ledger.drop());

async function verify() {
  const { exit_code, lines } = await commandLine(['verify', '--json'], { engines: ledger });
  return { exit_code, lines, verified: lines.at(-1)! };
}

/** Something of everything: two topics, replays, rejections, a conflict, poison, what fell due. */
async function publishEverything(): Promise<void> {
  const { requests, usage: usage_topic } = TOPICS;
  await ledger.publish(requests, [
    grant('alice', 'g-1', 1_000, { paid: { amount_minor: 4_900, currency: 'EUR' } }),
    grant('alice', 'g-2', 50, { expires_at: '2026-02-01T00:00:00Z' }),
    grant('alice', 'g-3', 70, { effective_at: '2026-02-01T00:00:00Z' }),
    grant('bob', 'g-1', 5_000),
    usage('alice', 'u-1', { operation: 'image.generation', quantity: 2 }),
    usage('alice', 'u-1', { operation: 'image.generation', quantity: 2 }),
    usage('alice', 'u-1', { operation: 'image.generation', quantity: 3 }),
    usage('alice', 'u-2', { quantity: 9_999 }),
    usage('carol', 'u-1'),
    sweep('alice', 'sys:sweep-1'),
  ]);
  await ledger.settle();
  await ledger.publish(
    usage_topic,
    Array.from({ length: 1_050 }, (_, n) =>
      usage('bob', `u-${n}`, {
        quantity: 1 + (n % 3),
        ...(n % 2 === 0 && { occurred_at: undefined }), // as of its message, then
      }),
    ),
  );
  const items = [
    { operation: 'llm.input_tokens', quantity: 374 },
    { operation: 'llm.output_tokens', quantity: 1_044 },
  ];
  await ledger.publish(usage_topic, [usage('bob', 'u-items', { items })]);
  await ledger.bus.publish(usage_topic, [
    { key: 'dev/bob', value: 'not JSON' },
    { key: 'dev/bob', value: JSON.stringify(usage('alice', 'u-3')) },
    { key: null, value: null },
  ]);
  ledger.now_ms += 86_400_000;
  await ledger.publish(requests, [usage('alice', 'u-4', { quantity: 5 })]);
  await ledger.settle();
}

it('finds that all four agree, and says what it counted', async () => {
  await publishEverything();
  const { exit_code, verified } = await verify();
  expect(verified).toMatchObject({
    type: 'verified',
    requests: {
      decided: 4 + 1 + 1 + 1 + 1_050 + 1 + 1,
      replayed: 1,
      conflict: 1,
      dead_letter: 3,
      nothing_due: 1,
      in_flight: 0,
    },
    streams: { streams: 3, events: 1_061 },
    not_projected_yet: 0,
    read_models: {
      accounts: 3,
      entries: 1_061,
      grants: 4,
      snapshots: 1,
      granted: '6120',
      consumed: '2150',
      expired: '10',
      available: '3960',
      reserved: '0',
    },
    invoices: { invoices: 2, lines: 5, purchases: 1, credits: '2150' },
    mismatches: 0,
  });
  expect(exit_code).toBe(0);
});

it('says so in words', async () => {
  await publishEverything();
  const { exit_code, stdout } = await commandLine(['verify'], { engines: ledger });
  expect(exit_code).toBe(0);
  expect(stdout).toContain('6,120 granted = 2,150 consumed + 10 expired + 3,960 left');
  expect(stdout).toMatch(/^all four agree \(\d+\.\d s\)$/m);
});

it('finds that price books and rejected grants repeat what was asked', async () => {
  const about = { user_id: 'ann', metadata: { 'who asked': 'bob' }, priority: 7 };
  const prices = {
    'text.generation': { credits: 2, per: 3, rounding: 'half_even', fixed: 1 },
    'image.generation': { credits: '20' },
  };
  await ledger.publish(TOPICS.requests, [
    publishPrices('p-1', 'spring', prices),
    { ...publishPrices('p-2', 'spring', prices), metadata: about.metadata },
    publishPrices('p-1', 'spring', prices),
    grant('alice', 'g-1', 7, { ...about, expires_at: '2026-01-01T00:00:00Z' }),
    grant('alice', 'g-2', 7, {
      effective_at: '2026-03-01T01:00:00+01:00',
      expires_at: '2026-03-01T00:00:00Z',
    }),
    grant('alice', 'g-3', 7, {
      paid: { amount_minor: 1, currency: 'EUR' },
      effective_at: '2026-03-01T00:00:00Z',
      expires_at: '2026-03-01T00:00:00Z',
    }),
  ]);
  await ledger.decide();
  for (const not_projected_yet of [3, 0]) {
    const { exit_code, lines } = await verify();
    expect(lines).toMatchObject([
      { type: 'verified', mismatches: 0, not_projected_yet, requests: { decided: 5, replayed: 1 } },
    ]);
    expect(exit_code).toBe(0);
    await ledger.settle();
  }
});

it('finds that price books were rightly refused, by the writer’s clock too', async () => {
  const prices = { 'text.generation': { credits: 2 } };
  await ledger.publish(TOPICS.requests, [publishPrices('p-1', 'waited', prices)]);
  ledger.now_ms += 3_600_000;
  await ledger.publish(TOPICS.requests, [publishPrices('p-2', 'late', prices)]);
  await ledger.settle();
  expect((await verify()).lines).toMatchObject([
    { type: 'verified', mismatches: 0, requests: { decided: 2 } },
  ]);
});

it('decides again what is not projected yet, and says how much it is', async () => {
  await publishEverything();
  await ledger.publish(TOPICS.usage, [
    usage('alice', 'u-late'),
    usage('alice', 'u-much', { quantity: 9_999 }),
    usage('new', 'u-1'),
  ]);
  await ledger.decide();
  const { exit_code, stdout } = await commandLine(['verify'], { engines: ledger });
  expect(stdout).toContain('3 decisions not projected yet, the first of 2026-02-01T12:00:00.');
  expect(exit_code).toBe(0);
});

it.each([
  ['of the future', '{"type":"PriceBookOfTheFuture"}'],
  ['that is no JSON', 'not JSON'],
])('names a price book %s, and goes on with everything else', async (_what, text) => {
  const others = { tenant_id: 'other' };
  await publishEverything();
  await ledger.publish(TOPICS.requests, [
    grant('dan', 'g-1', 9, others),
    usage('dan', 'u-1', others),
  ]);
  await ledger.settle();
  await appendText(priceBookStream('dev'), text)(ledger);
  const { exit_code, lines, verified } = await verify();
  expect(exit_code).toBe(1);
  const told = lines.filter(({ check }) => check !== 'stream_broken');
  expect(told).toMatchObject([
    {
      check: 'fold_broken',
      detail: expect.stringContaining('the usage of its tenant is not decided again'),
      left: 'pricebook-dev@1',
    },
    { type: 'verified', read_models: { accounts: 4 }, invoices: { credits: '2151' } },
  ]);
  expect(verified).toMatchObject({ requests: { in_flight: 0 } });

  // Another tenant's usage is decided again as ever.
  const dan = accountStream('other/dan' as AccountKey);
  await forge(dan, (data) =>
    data.replace('"price_book_version":"launch"', '"price_book_version":"x"'),
  )(ledger);
  expect((await verify()).lines).toContainEqual(
    expect.objectContaining({ check: 'decision_differs', left: 'account-other/dan@1' }),
  );
});

it('agrees on an empty ledger', async () => {
  const { exit_code, verified } = await verify();
  expect(exit_code).toBe(0);
  expect(verified).toMatchObject({ checkpoint: { position: null, events: 0 }, mismatches: 0 });
});

it('counts what is not decided yet as in flight', async () => {
  await ledger.publish(TOPICS.requests, [grant('alice', 'g-1', 10)]);
  await ledger.settle();
  await ledger.publish(TOPICS.requests, [usage('alice', 'u-1'), usage('carol', 'u-1')]);
  const { exit_code, verified } = await verify();
  expect(exit_code).toBe(0);
  expect(verified).toMatchObject({ requests: { decided: 1, in_flight: 2 } });
});

it('reads decisions that are not projected yet from the streams', async () => {
  await ledger.publish(TOPICS.requests, [grant('alice', 'g-1', 10)]);
  await ledger.settle();
  await ledger.publish(TOPICS.requests, [
    usage('alice', 'u-1'),
    usage('alice', 'g-1'),
    usage('carol', 'u-1'),
  ]);
  await ledger.decide();
  const { exit_code, verified } = await verify();
  expect(exit_code).toBe(0);
  expect(verified).toMatchObject({
    requests: { decided: 3, conflict: 1, in_flight: 0 },
    // The shipped price book is no request.
    not_projected_yet: 2,
    read_models: { accounts: 1, entries: 1 },
  });
});

it('holds while everything goes on', async () => {
  await publishEverything();
  let stop = false;
  const going_on = (async () => {
    for (let n = 0; !stop; n += 1) {
      await ledger.publish(TOPICS.usage, [usage('bob', `live-${n}`), usage('alice', `live-${n}`)]);
      await ledger.settle();
    }
  })();
  const results = [];
  for (let n = 0; n < 5; n += 1) results.push(await verify());
  stop = true;
  await going_on;
  expect(
    results.map(({ lines }) => lines.filter(({ type }) => type === 'mismatch')).flat(),
  ).toEqual([]);
});

it('could not run without read models', async () => {
  await ledger.pool.query('drop schema read cascade');
  const { exit_code, stderr } = await commandLine(['verify'], { engines: ledger });
  expect(exit_code).toBe(2);
  expect(stderr).toContain('start the projector first');
});

it('ends when it is interrupted, and says so', async () => {
  await publishEverything();
  const signal = AbortSignal.abort();
  const { exit_code, stderr } = await commandLine(['verify'], { engines: ledger, signal });
  expect({ exit_code, stderr }).toEqual({ exit_code: 2, stderr: 'usage-ledger: interrupted\n' });
});

it('reads the price books once', async () => {
  await publishEverything();
  const prefixes: string[] = [];
  const readAll: typeof ledger.store.readAll = (range) => {
    prefixes.push(range.prefix);
    return ledger.store.readAll(range);
  };
  const engines = { ...ledger, store: { ...ledger.store, readAll } };
  expect((await commandLine(['verify'], { engines })).exit_code).toBe(0);
  expect(prefixes.filter((prefix) => prefix === priceBookStream(''))).toHaveLength(1);
});
