import { testFinanceApi, type TestFinanceApi } from '../../../test/fixtures/finance-api.js';

let api: TestFinanceApi;
const get: TestFinanceApi['get'] = (path, key) => api.get(path, key);
const body: TestFinanceApi['body'] = (path, key) => api.body(path, key);
beforeAll(async () => {
  api = await testFinanceApi();
});
afterAll(() => api.close());

describe('an account', () => {
  it('is listed with its balance', async () => {
    expect(await body('/accounts')).toMatchObject({
      items: [{ account_id: 'alice', available: '90', revision: 4 }],
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
      revision: 4,
    });
  });

  it.each([
    ['as_of=1', { available: '130', revision: 1 }],
    ['as_of=2026-01-31T12:00:00Z', { available: '90', revision: 4 }],
    ['as_of=2026-01-01T00:00:00Z', { available: '0', revision: -1 }],
    ['as_of=2026-02-01T12:00:05.000Z', { available: '90', revision: 4 }],
    ['at_least=4', { available: '90', revision: 4 }],
    ['at_least=3&as_of=1', { available: '130', revision: 1 }],
  ])('balance?%s', async (query, expected) => {
    expect(await body(`/accounts/alice/balance?${query}`)).toMatchObject(expected);
  });

  it('has no balance as of a revision that is not there', async () => {
    const { detail } = await body('/accounts/alice/balance?as_of=9999');
    expect(detail).toBe('as_of: is beyond revision 4, the last that is shown');
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
    const first = await body('/accounts/alice/statement?limit=4');
    expect(first.items).toMatchObject([
      { what: 'GrantRejected', request_id: 'pack-2', asked_credits: '50' },
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
  ['/accounts/alice/balance?as_of=5', 'as_of'],
  ['/accounts/alice/balance?as_of=0&as_of=1', 'as_of'],
  ['/accounts/alice/balance?as_of=2026-02-01T12:00:05.001Z', 'as_of'],
  ['/dead-letters?open=maybe', 'open'],
  ['/usage/rejections?group_by=price', 'group_by[0]'],
  ['/grants/rejections?paid=maybe', 'paid'],
  ['/grants/rejections?cursor=x', 'cursor'],
  ['/grants/rejections?from=2026-12-01&to=2026-01-01', 'to'],
])('a question that cannot be read names its field: %s', async (path, field) => {
  const { status, type, response } = await get(path);
  expect([status, type]).toEqual([400, 'application/problem+json']);
  expect(response.json()).toMatchObject({ errors: [{ path: field }] });
});
