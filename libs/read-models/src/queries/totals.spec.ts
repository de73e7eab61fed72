import type pg from 'pg';
import { testReadModels, type TestReadModels } from '../../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { invoice, invoices } from './invoices.js';
import { usageSummary, type UsageQuestion } from './summary.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
  const [alice, bob] = [recorder.account('alice'), recorder.account('bob')];
  const foreign = recorder.account('alice', 'other');
  recorder.grant(alice, 500, { request_id: 'g1', paid: { amount_minor: 4_900, currency: 'EUR' } });
  recorder.grant(alice, 200, { request_id: 'g2', paid: { amount_minor: 2_100, currency: 'EUR' } });
  recorder.grant(alice, 100, { request_id: 'g3', paid: { amount_minor: 1_500, currency: 'CHF' } });
  recorder.grant(alice, 10, { request_id: 'g4', kind: 'promo' });
  recorder.grant(bob, 1_000);
  recorder.grant(foreign, 1_000);
  recorder.use(foreign, 'text.generation', 77);
  recorder.use(alice, 'text.generation', 3, { occurred_at: '2026-01-30T10:00:00Z' });
  recorder.use(alice, 'text.generation', 4);
  recorder.use(alice, 'image.generation', 2);
  recorder.use(alice, 'video.generation', 99); // rejected: never on an invoice
  recorder.use(bob, 'text.generation', 5);
  recorder.wait(2 * 86_400_000);
  recorder.use(alice, 'image.generation', 1); // 2026-02-02
  await models.project();
});
afterEach(() => models.drop());

describe('an invoice', () => {
  it('has a line per operation and price version, the purchases, and what they add up to', async () => {
    expect(await invoice(pool, 'acme', 'alice', '2026-01')).toEqual({
      tenant_id: 'acme',
      account_id: 'alice',
      period: '2026-01',
      status: 'draft',
      lines: [
        {
          operation: 'image.generation',
          price_book_version: 'launch',
          lines: 1,
          quantity: 2n,
          credits: 40n,
        },
        {
          operation: 'text.generation',
          price_book_version: 'launch',
          lines: 2,
          quantity: 7n,
          credits: 7n,
        },
      ],
      purchases: [
        expect.objectContaining({
          grant_id: 'g1',
          kind: 'pack',
          credits: 500n,
          paid: { amount_minor: 4_900, currency: 'EUR' },
          revision: 0,
          recorded_at: '2026-01-31T12:00:00.000Z',
        }),
        expect.objectContaining({ grant_id: 'g2' }),
        expect.objectContaining({ grant_id: 'g3' }),
      ],
      grants: [
        expect.objectContaining({ grant_id: 'g4', kind: 'promo', credits: 10n, paid: null }),
      ],
      totals: {
        consumed: 47n,
        purchased: 800n,
        granted: 10n,
        paid: [
          { currency: 'CHF', amount_minor: 1_500n },
          { currency: 'EUR', amount_minor: 7_000n },
        ],
      },
      revision: 8,
    });
  });

  it('is empty for a month without bookings', async () => {
    expect(await invoice(pool, 'acme', 'alice', '2025-12')).toMatchObject({
      lines: [],
      purchases: [],
      totals: { consumed: 0n, paid: [] },
    });
  });

  it('is listed by period, newest first', async () => {
    expect(await invoices(pool, 'acme', 'alice')).toEqual([
      {
        period: '2026-02',
        status: 'draft',
        totals: { consumed: 20n, purchased: 0n, granted: 0n, paid: [] },
      },
      {
        period: '2026-01',
        status: 'draft',
        totals: (await invoice(pool, 'acme', 'alice', '2026-01'))!.totals,
      },
    ]);
  });

  it('I16: is unknown to another tenant', async () => {
    expect(await invoice(pool, 'other', 'bob', '2026-01')).toBeUndefined();
    expect(await invoices(pool, 'other', 'bob')).toBeUndefined();
    expect(await invoice(pool, 'other', 'alice', '2026-01')).toMatchObject({
      totals: { consumed: 77n, paid: [] },
    });
  });
});

describe('the usage summary', () => {
  const summary = async (question: UsageQuestion) =>
    (await usageSummary(pool, 'acme', question))!.items;

  it('sums up a tenant by any dimensions', async () => {
    expect(await summary({ group_by: [] })).toEqual([{ lines: 5, quantity: 15n, credits: 72n }]);
    expect(await summary({ group_by: ['account'] })).toEqual([
      { account_id: 'alice', lines: 4, quantity: 10n, credits: 67n },
      { account_id: 'bob', lines: 1, quantity: 5n, credits: 5n },
    ]);
    expect(await summary({ group_by: ['day', 'operation'] })).toEqual([
      { operation: 'image.generation', day: '2026-01-31', lines: 1, quantity: 2n, credits: 40n },
      { operation: 'image.generation', day: '2026-02-02', lines: 1, quantity: 1n, credits: 20n },
      { operation: 'text.generation', day: '2026-01-30', lines: 1, quantity: 3n, credits: 3n },
      { operation: 'text.generation', day: '2026-01-31', lines: 2, quantity: 9n, credits: 9n },
    ]);
    expect(await summary({ group_by: ['account', 'operation', 'day'] })).toHaveLength(5);
    expect(await summary({ group_by: ['period'] })).toEqual([
      { period: '2026-01', lines: 4, quantity: 14n, credits: 52n },
      { period: '2026-02', lines: 1, quantity: 1n, credits: 20n },
    ]);
  });

  it('sums up one account, at the revision that it shows', async () => {
    const of = (account_id: string, tenant_id = 'acme') =>
      usageSummary(pool, tenant_id, { account_id, group_by: ['period'] });
    expect(await of('bob')).toEqual({
      items: [{ period: '2026-01', lines: 1, quantity: 5n, credits: 5n }],
      revision: 1,
      projected_up_to: recorder.now,
    });
    expect(await of('alice', 'other')).toMatchObject({ items: [{ credits: 77n }], revision: 1 });
    expect(await of('nobody')).toBeUndefined();
    expect(await of('bob', 'other')).toBeUndefined();
  });

  it('counts from a day up to another, which no longer counts', async () => {
    expect(await summary({ from: '2026-01-31', to: '2026-02-02', group_by: ['account'] })).toEqual([
      { account_id: 'alice', lines: 2, quantity: 6n, credits: 44n },
      { account_id: 'bob', lines: 1, quantity: 5n, credits: 5n },
    ]);
    expect(await summary({ from: '2026-03-01', group_by: [] })).toEqual([]);
  });

  it('refuses more rows than anybody reads', async () => {
    await pool.query(`
      insert into read.usage_totals
      select 'acme', 'x' || i, '2026-01', '2026-01-01', 'op', 'v', 1, 1, 1
      from generate_series(1, 10001) i`);
    await expect(summary({ group_by: ['account'] })).rejects.toThrow('more than 10000 rows');
  });
});
