import { PassThrough } from 'node:stream';
import { hash } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { PriceBook, RequestId, TenantId } from '#libs/contracts';
import { memoryEventStore } from '#libs/event-store';
import { createHttpApp } from '#libs/http';
import { createHealth, createLogger, createMetrics } from '#libs/platform';
import { rejectPublication, shippedOnly } from '../../../test/fixtures/price-book.js';
import { testReadModels, type TestReadModels } from '../../../test/fixtures/read-models.js';
import { PRICES } from '../../../test/fixtures/recorded-events.js';
import { FinanceApiModule } from './finance-api.module.js';

const NOW = Date.UTC(2026, 1, 1, 12);
let models: TestReadModels;
let app: NestFastifyApplication;

beforeAll(async () => {
  models = await testReadModels();
  const store = memoryEventStore();
  await shippedOnly(store, 'acme' as TenantId, PRICES);
  await rejectPublication(store, 'acme' as TenantId, 'prices-2' as RequestId, 'version_exists');
  const common = {
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('finance-api', 'silent', new PassThrough()),
  };
  const key = (name: string, tenant_id: string, scope: 'read' | 'usage:write') => ({
    sha256: hash('sha256', name),
    tenant_id,
    scopes: [scope],
  });
  app = await createHttpApp({
    ...common,
    api: { title: 'finance-api', description: 'Under test', version: '0' },
    keys: [
      key('acme', 'acme', 'read'),
      key('other', 'other', 'read'),
      key('writer', 'acme', 'usage:write'),
    ],
    modules: [FinanceApiModule.register({ pool: models.pool, store, clock: () => NOW })],
  });
  await record();
});
afterAll(async () => {
  await app.close();
  await models.drop();
});

async function record() {
  const { recorder } = models;
  const alice = recorder.account('alice');
  recorder.grant(alice, 100, {
    request_id: 'pack-1',
    paid: { amount_minor: 900, currency: 'EUR' },
  });
  recorder.grant(alice, 30, { request_id: 'promo-1', expires_at: '2026-02-01T00:00:00Z' });
  recorder.use(alice, 'image.generation', 2, { request_id: 'img-1' });
  recorder.use(alice, 'video.generation', 5, { request_id: 'vid-1' });
  recorder.grant(recorder.account('bob', 'other'), 7);
  await models.project();
}

async function get(path: string, key = 'acme') {
  const response = await app.inject({
    url: `/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
  });
  return { status: response.statusCode, type: response.headers['content-type'], response };
}
const body = async (path: string, key?: string) => (await get(path, key)).response.json();

describe('an account', () => {
  it('is listed with its balance', async () => {
    expect(await body('/accounts')).toMatchObject({
      items: [{ account_id: 'alice', available: '90', revision: 3 }],
      next_cursor: null,
    });
  });

  it('shows its grants in burn order and what is due', async () => {
    expect(await body('/accounts/alice/balance')).toMatchObject({
      available: '90',
      reserved: '0',
      overdraft_limit: '0',
      grants: [{ grant_id: 'pack-1', remaining: '90', state: 'active', priority: 100 }],
      due: [],
      revision: 3,
    });
  });

  it.each([
    ['as_of=1', { available: '130', revision: 1 }],
    ['as_of=2026-01-31T12:00:00Z', { available: '90', revision: 3 }],
    ['as_of=2026-01-01T00:00:00Z', { available: '0', revision: -1 }],
    ['as_of=2026-02-01T12:00:05.000Z', { available: '90', revision: 3 }],
    ['at_least=3', { available: '90', revision: 3 }],
    ['at_least=3&as_of=1', { available: '130', revision: 1 }],
  ])('balance?%s', async (query, expected) => {
    expect(await body(`/accounts/alice/balance?${query}`)).toMatchObject(expected);
  });

  it('has no balance as of a revision that is not there', async () => {
    const { detail } = await body('/accounts/alice/balance?as_of=9999');
    expect(detail).toBe('as_of: is beyond revision 3, the last that is shown');
  });

  it('has no balance as of a time to come', async () => {
    const { detail } = await body('/accounts/alice/balance?as_of=2999-01-01T00:00:00Z');
    expect(detail).toBe('as_of: is beyond 2026-02-01T12:00:00.000Z, the time that it is now');
  });

  it('tells with a balance as of a time what is projected', async () => {
    const url = '/accounts/alice/balance';
    expect(await body(`${url}?as_of=2026-02-01T11:00:00Z`)).toMatchObject({
      projected_up_to: '2026-01-31T12:00:00.000Z',
    });
    for (const question of ['', '?as_of=1']) {
      expect(await body(`${url}${question}`)).not.toHaveProperty('projected_up_to');
    }
  });

  it('at_least answers 503 when the revision does not come', async () => {
    const { status, type, response } = await get('/accounts/alice/balance?at_least=99');
    expect([status, type]).toEqual([503, 'application/problem+json']);
    expect(response.headers['retry-after']).toBe('1');
    expect(response.json()).toMatchObject({ code: 'not_yet_projected', at_least: 99 });
  }, 10_000);

  it('has a statement, newest first, page by page', async () => {
    const first = await body('/accounts/alice/statement?limit=3');
    expect(first.items).toMatchObject([
      { what: 'UsageRejected', request_id: 'vid-1', reason: 'insufficient_credits', credits: '0' },
      {
        what: 'UsageConsumed',
        operation: 'image.generation',
        quantity: 2,
        credits: '40',
        allocations: [
          { grant_id: 'promo-1', credits: '30' },
          { grant_id: 'pack-1', credits: '10' },
        ],
        balance_after: { available: '90', reserved: '0' },
      },
      { what: 'CreditsGranted', grant_id: 'promo-1' },
    ]);
    const second = await body(`/accounts/alice/statement?cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ items: [{ grant_id: 'pack-1' }], next_cursor: null });
  });

  it('explains a charge from one event', async () => {
    expect(await body('/accounts/alice/requests/img-1')).toMatchObject({
      decision: { outcome: 'consumed', credits: '40', replayed: false },
      price: {
        price_book_version: 'launch',
        lines: [{ operation: 'image.generation', credits: '40', arithmetic: '2 × 20 = 40' }],
      },
      grants_burnt: [{ grant_id: 'promo-1' }, { grant_id: 'pack-1' }],
      balance_before: { available: '130' },
      balance_after: { available: '90' },
      source: { topic: 'ledger.requests', partition: 0 },
      stream: { revision: 2, chain: expect.stringMatching(/^[0-9a-f]{64}$/) },
      invoice: { period: '2026-01', href: '/v1/accounts/alice/invoices/2026-01' },
    });
  });

  it('explains a rejection', async () => {
    expect(await body('/accounts/alice/requests/vid-1')).toMatchObject({
      decision: { outcome: 'rejected', price: '500', shortfall: '410' },
      grants_burnt: [],
      invoice: null,
    });
  });

  it('has invoices that add up', async () => {
    expect(await body('/accounts/alice/invoices')).toMatchObject({
      items: [{ period: '2026-01', totals: { consumed: '40', purchased: '100', granted: '30' } }],
    });
    expect(await body('/accounts/alice/invoices/2026-01')).toMatchObject({
      status: 'draft',
      lines: [{ operation: 'image.generation', quantity: '2', credits: '40' }],
      purchases: [{ grant_id: 'pack-1', paid: { amount_minor: 900, currency: 'EUR' } }],
      totals: { consumed: '40', paid: [{ currency: 'EUR', amount_minor: '900' }] },
    });
  });

  it('has invoices as CSV', async () => {
    const { type, response } = await get('/accounts/alice/invoices/2026-01.csv');
    expect(type).toBe('text/csv; charset=utf-8');
    expect(response.body.trim().split('\n')).toEqual([
      'account_id,period,status,kind,id,price_book_version,quantity,credits,currency,amount_minor',
      'alice,2026-01,draft,usage,image.generation,launch,2,40,,',
      'alice,2026-01,draft,purchase,pack-1,,,100,EUR,900',
      'alice,2026-01,draft,grant,promo-1,,,30,,',
    ]);
  });
});

describe('finance', () => {
  it('sums usage by any dimension', async () => {
    const question = '/usage/summary?from=2026-01-01&to=2026-02-01&group_by=operation,day';
    expect(await body(question)).toEqual({
      items: [
        {
          operation: 'image.generation',
          day: '2026-01-31',
          lines: 1,
          quantity: '2',
          credits: '40',
        },
      ],
      next_cursor: null,
    });
  });

  it('shows the price book in force, and a version by name', async () => {
    const expected = { version: 'launch', in_force: true, versions: [{ version: 'launch' }] };
    expect(await body('/price-book')).toMatchObject(expected);
    const { prices } = (await body('/price-book?version=launch')) as PriceBook;
    expect(prices['image.generation' as keyof typeof prices]).toEqual({
      credits: '20',
      per: 1,
      rounding: 'up',
    });
    expect((await get('/price-book?version=nope')).status).toBe(404);
  });

  it('tells what became of a publication, also when it was rejected', async () => {
    const shipped = '/price-book/requests/sys:shipped-price-book';
    expect(await body(shipped)).toMatchObject({ outcome: 'price_book_published', revision: 0 });
    expect(await body('/price-book/requests/prices-2')).toMatchObject({
      request_id: 'prices-2',
      outcome: 'rejected',
      reason: 'version_exists',
      revision: 1,
    });
    const { status, response } = await get('/price-book/requests/prices-3');
    expect([status, response.json().detail]).toEqual([
      404,
      'no decision of price book request prices-3 (yet)',
    ]);
    expect((await get('/price-book/requests/prices-2', 'other')).status).toBe(404);
  });

  it('lists dead letters', async () => {
    expect(await body('/dead-letters?open=true')).toEqual({ items: [], next_cursor: null });
  });
});

describe('who may not read', () => {
  it('I16: a tenant never sees an account of another', async () => {
    expect(await body('/accounts', 'other')).toMatchObject({ items: [{ account_id: 'bob' }] });
    for (const path of ['balance', 'statement', 'requests/img-1', 'invoices', 'invoices/2026-01']) {
      expect((await get(`/accounts/alice/${path}`, 'other')).status).toBe(404);
    }
  });

  it.each([
    ['nobody', 401],
    ['writer', 403],
  ])('%s', async (key, status) => {
    expect((await get('/accounts', key)).status).toBe(status);
  });
});

it.each([
  ['/accounts/alice/balance?as_of=yesterday', 'as_of'],
  ['/accounts/alice/balance?at_least=-1', 'at_least'],
  ['/accounts/alice/balance?nonsense=1', 'nonsense'],
  ['/accounts/a%20b/balance', 'account_id'],
  ['/accounts/alice/statement?limit=0', 'limit'],
  ['/accounts/alice/statement?limit=501', 'limit'],
  ['/accounts/alice/statement?cursor=x', 'cursor'],
  ['/accounts?cursor=x', 'cursor'],
  ['/usage/summary?group_by=day&group_by=operation', 'group_by'],
  ['/accounts/alice/invoices/2026-13', 'period'],
  ['/usage/summary?group_by=colour', 'group_by[0]'],
  ['/usage/summary?from=soon', 'from'],
  ['/usage/summary?from=', 'from'],
  ['/usage/summary?from=2026-12-01&to=2026-01-01', 'to'],
  ['/usage/summary?from=2026-01-01&to=2026-01-01', 'to'],
  ['/accounts/alice/balance?as_of=4', 'as_of'],
  ['/accounts/alice/balance?as_of=0&as_of=1', 'as_of'],
  ['/accounts/alice/balance?as_of=2026-02-01T12:00:05.001Z', 'as_of'],
  ['/dead-letters?open=maybe', 'open'],
])('a question that cannot be read names its field: %s', async (path, field) => {
  const { status, type, response } = await get(path);
  expect([status, type]).toEqual([400, 'application/problem+json']);
  expect(response.json()).toMatchObject({ errors: [{ path: field }] });
});
