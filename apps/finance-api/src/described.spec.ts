import { describedAnswers } from '../../../test/fixtures/described-answers.js';
import { testFinanceApi, type TestFinanceApi } from '../../../test/fixtures/finance-api.js';

let api: TestFinanceApi;
let faultsOf: ReturnType<typeof describedAnswers>;
beforeAll(async () => {
  api = await testFinanceApi();
  faultsOf = describedAnswers((await api.app.inject('/openapi.json')).json());
});
afterAll(() => api.close());

const QUESTIONS: readonly (readonly [path: string, url: string, key?: string])[] = [
  ['/accounts', '/accounts?limit=1'],
  ['/accounts', '/accounts?limit=0'],
  ['/accounts', '/accounts', 'writer'],
  ['/accounts', '/accounts', 'nobody'],
  ['/accounts/{account_id}/balance', '/accounts/alice/balance'],
  ['/accounts/{account_id}/balance', '/accounts/alice/balance?as_of=2026-01-31T12:00:00Z'],
  ['/accounts/{account_id}/balance', '/accounts/alice/balance?as_of=2020-01-01T00:00:00Z'],
  ['/accounts/{account_id}/balance', '/accounts/alice/balance?as_of=0'],
  ['/accounts/{account_id}/balance', '/accounts/nobody/balance'],
  ['/accounts/{account_id}/balance', `/accounts/${'x'.repeat(200)}/balance`],
  ['/accounts/{account_id}/statement', '/accounts/alice/statement'],
  ['/accounts/{account_id}/statement', '/accounts/alice/statement?limit=1'],
  ...['pack-1', 'pack-2', 'img-1', 'vid-1', 'none'].map((id): [string, string] => [
    '/accounts/{account_id}/requests/{request_id}',
    `/accounts/alice/requests/${id}`,
  ]),
  ['/accounts/{account_id}/invoices', '/accounts/alice/invoices'],
  ['/accounts/{account_id}/invoices/{period}', '/accounts/alice/invoices/2026-01'],
  ['/accounts/{account_id}/invoices/{period}', '/accounts/alice/invoices/1999-12'],
  ['/accounts/{account_id}/invoices/{period}', '/accounts/alice/invoices/2026-01.csv'],
  ['/usage/summary', '/usage/summary?group_by=account,operation,period,day'],
  ['/usage/summary', '/usage/summary?account_id=alice'],
  ['/usage/rejections', '/usage/rejections?group_by=account,reason,operation,period,day'],
  ['/usage/rejections', '/usage/rejections?account_id=nobody'],
  ['/grants/rejections', '/grants/rejections?limit=1'],
  ['/grants/rejections', '/grants/rejections?account_id=alice&paid=false'],
  ['/price-book', '/price-book'],
  ['/price-book', '/price-book?version=nope'],
  ['/price-book/requests/{request_id}', '/price-book/requests/prices-2'],
  ['/price-book/requests/{request_id}', '/price-book/requests/sys:shipped-price-book'],
  ['/dead-letters', '/dead-letters'],
];

it.each(QUESTIONS.map(([path, url, key = 'acme']) => ({ path, url, key })))(
  'answers as it is described: $path, $url of $key',
  async ({ path, url, key }) => {
    const { status, type, response } = await api.get(url, key);
    const media = String(type).split(';')[0]!;
    const body: unknown = media === 'text/csv' ? response.body : response.json();
    const faults = faultsOf(`/v1${path}`, status, media, body);
    expect({ status, faults }).toEqual({ status, faults: [] });
  },
);

it('an answer with a field too many, or of another form, is not as it is described', () => {
  const faults = (body: unknown) => faultsOf('/v1/accounts', 200, 'application/json', body);
  expect(faults({ items: [], next_cursor: null })).toEqual([]);
  expect(faults({ items: [], next_cursor: null, more: 1 })).toHaveLength(1);
  expect(faults({ items: [], next_cursor: 1 })).toHaveLength(1);
  expect(faultsOf('/v1/accounts', 418, 'application/json', {})).toHaveLength(1);
});

it('sums of any size are as they are described', async () => {
  const sums = `1, 10 ^ 19::numeric, 10 ^ 22::numeric`;
  await api.models.pool.query(`
    insert into read.usage_totals select 'acme', 'alice', '2024-02', '2024-02-29', 'op', 'v', ${sums};
    insert into read.rejection_totals
    select 'acme', 'alice', '2024-02', '2024-02-29', 'insufficient_credits', 'op', 1, 1, ${sums}`);
  for (const [path, url] of [
    ['/usage/summary', '/usage/summary?to=2025-01-01'],
    ['/usage/rejections', '/usage/rejections?to=2025-01-01'],
    ['/accounts/{account_id}/invoices/{period}', '/accounts/alice/invoices/2024-02'],
  ] as const) {
    const answer = await api.body(url);
    expect(faultsOf(`/v1${path}`, 200, 'application/json', answer)).toEqual([]);
    const [row] = answer.items ?? answer.lines;
    expect(row).toMatchObject({ quantity: `1${'0'.repeat(19)}`, credits: `1${'0'.repeat(22)}` });
  }
});
