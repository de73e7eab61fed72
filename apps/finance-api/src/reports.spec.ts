import type { PriceBook } from '#libs/contracts';
import { testFinanceApi, type TestFinanceApi } from '../../../test/fixtures/finance-api.js';

let api: TestFinanceApi;
const get: TestFinanceApi['get'] = (path, key) => api.get(path, key);
const body: TestFinanceApi['body'] = (path, key) => api.body(path, key);
beforeAll(async () => {
  api = await testFinanceApi();
});
afterAll(() => api.close());

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
    projected_up_to: '2026-01-31T12:00:00.000Z',
  });
});

it('sums what was rejected, of all accounts or of one', async () => {
  const vid_1 = { requests: 1, lines: 1, quantity: '5', credits: '500' };
  expect(await body('/usage/rejections?group_by=reason,account')).toEqual({
    items: [{ account_id: 'alice', reason: 'insufficient_credits', ...vid_1 }],
    next_cursor: null,
    projected_up_to: '2026-01-31T12:00:00.000Z',
  });
  const of_alice = '/usage/rejections?account_id=alice&at_least=4&group_by=period';
  expect(await body(of_alice)).toMatchObject({
    items: [{ period: '2026-01', ...vid_1 }],
    revision: 4,
  });
  expect(await body('/usage/rejections', 'other')).toMatchObject({ items: [] });
});

it('sums the usage of one account', async () => {
  expect(await body('/usage/summary?account_id=alice&group_by=period')).toMatchObject({
    items: [{ period: '2026-01', credits: '40' }],
    revision: 4,
  });
});

it('lists payments whose credits were refused', async () => {
  expect(await body('/grants/rejections?paid=true')).toEqual({
    items: [
      {
        account_id: 'alice',
        request_id: 'pack-2',
        reason: 'already_expired',
        kind: 'pack',
        asked_credits: '50',
        paid: { amount_minor: 450, currency: 'EUR' },
        occurred_at: '2026-01-31T12:00:00.000Z',
        recorded_at: '2026-01-31T12:00:00.000Z',
        revision: 4,
      },
    ],
    next_cursor: null,
  });
  const of_alice = '/grants/rejections?account_id=alice&at_least=4';
  expect(await body(`${of_alice}&paid=false`)).toEqual({
    items: [],
    next_cursor: null,
    revision: 4,
  });
  expect((await body(of_alice)).items).toHaveLength(1);
  expect(await body('/grants/rejections', 'other')).toMatchObject({ items: [] });
});

it.each(['usage/summary', 'usage/rejections', 'grants/rejections'])(
  '%s knows no account of another tenant, and waits for no revision of all',
  async (report) => {
    const { status, response } = await get(`/${report}?account_id=alice`, 'other');
    expect([status, response.json().detail]).toEqual([404, 'no account alice']);
    expect((await body(`/${report}?at_least=1`)).errors).toMatchObject([{ path: 'at_least' }]);
  },
);

it('waits for a revision of one account', async () => {
  const { status, response } = await get('/usage/summary?account_id=alice&at_least=99');
  expect([status, response.json().code]).toEqual([503, 'not_yet_projected']);
}, 10_000);

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
