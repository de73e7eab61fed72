const usage = { account_id: 'nobody', request_id: 'r-1', operation: 'text.generation' };
const item = { operation: 'text.generation', quantity: 1 };
const several = { account_id: 'nobody', request_id: 'r-1' };
const grant = { request_id: 'g-1', credits: '10', kind: 'pack' };
const event = {
  specversion: '1.0',
  id: '1',
  source: '/renderer',
  type: 'text.generation',
  subject: 'nobody',
};
const book = {
  request_id: 'p-1',
  version: 'v2',
  effective_from: '2126-01-01T00:00:00Z',
  prices: { 'text.generation': { credits: 1 } },
};
const in_an_hour = () => new Date(Date.now() + 3_600_000).toISOString();
const long = 'x'.repeat(129);

/** A body, and the one field that its refusal must name. */
export type BadBody = readonly [path: string, field: string, body: unknown];

export const badBodies = (): readonly BadBody[] => [
  ...badUsage().map(([field, body]) => ['/v1/usage', field, body] as const),
  ...badGrants().map(([field, body]) => ['/v1/accounts/nobody/grants', field, body] as const),
  ...badBatches().map(([field, body]) => ['/v1/usage/batch', field, body] as const),
  ...badEvents().map(([field, body]) => ['/v1/events', field, body] as const),
  ...badPriceBooks().map(([field, body]) => ['/v1/price-book', field, body] as const),
  ['/v1/accounts/no%20body/grants', 'account_id', grant],
  [`/v1/accounts/${long}/grants`, 'account_id', grant],
  ['/v1/accounts/$pricebook/grants', 'account_id', grant],
];

type Bad = readonly [field: string, body: unknown];

const badUsage = (): Bad[] => [
  ['', '{"account_id":'],
  ['', '[]'],
  ['', '"text"'],
  ['', 'null'],
  ['request_id', { ...usage, request_id: undefined }],
  ['request_id', { ...usage, request_id: '' }],
  ['request_id', { ...usage, request_id: long }],
  ['request_id', { ...usage, request_id: 'with space' }],
  ['request_id', { ...usage, request_id: 'sys:sweep:1' }],
  ['request_id', { ...usage, request_id: 7 }],
  ['account_id', { ...usage, account_id: undefined }],
  ['account_id', { ...usage, account_id: 'a/b' }],
  ['account_id', { ...usage, account_id: '..' }],
  ['account_id', { ...usage, account_id: '$pricebook' }],
  ['tenant_id', { ...usage, tenant_id: 'other' }],
  ['type', { ...usage, type: 'CreditsGrantRequested' }],
  ['credits', { ...usage, credits: '-5' }],
  ['operation', { ...usage, operation: undefined }],
  ['operation', { ...usage, operation: 'a b' }],
  ['operation', { ...usage, items: [item] }],
  ['quantity', { ...usage, quantity: 0 }],
  ['quantity', { ...usage, quantity: -1 }],
  ['quantity', { ...usage, quantity: 0.5 }],
  ['quantity', { ...usage, quantity: '1' }],
  ['quantity', { ...usage, quantity: 1e13 }],
  ['items', { ...several, items: [] }],
  ['items', { ...several, items: Array(17).fill(item) }],
  ['items[1].quantity', { ...several, items: [item, { ...item, quantity: 0 }] }],
  ['items[0].price', { ...several, items: [{ ...item, price: 0 }] }],
  ['occurred_at', { ...usage, occurred_at: 'yesterday' }],
  ['occurred_at', { ...usage, occurred_at: '2026-01-01T00:00:00' }],
  ['occurred_at', { ...usage, occurred_at: in_an_hour() }],
  ['user_id', { ...usage, user_id: long }],
  ['api_key_id', { ...usage, api_key_id: '' }],
  ['metadata.model', { ...usage, metadata: { model: 1 } }],
  ['metadata.model', { ...usage, metadata: { model: 'x'.repeat(257) } }],
];

const badGrants = (): Bad[] => [
  ['request_id', { ...grant, request_id: 'sys:1' }],
  ['account_id', { ...grant, account_id: 'nobody' }],
  ['credits', { ...grant, credits: undefined }],
  ['credits', { ...grant, credits: 0 }],
  ['credits', { ...grant, credits: '-1' }],
  ['credits', { ...grant, credits: 1.5 }],
  ['credits', { ...grant, credits: '1e3' }],
  ['credits', { ...grant, credits: 2 ** 53 }],
  ['credits', { ...grant, credits: '1000000000000001' }],
  ['kind', { ...grant, kind: 'gift' }],
  ['priority', { ...grant, priority: 1_001 }],
  ['effective_at', { ...grant, effective_at: 'soon' }],
  ['expires_at', { ...grant, expires_at: '2026-02-30T00:00:00Z' }],
  ['paid.currency', { ...grant, paid: { amount_minor: 1, currency: 'euro' } }],
  ['paid.amount_minor', { ...grant, paid: { amount_minor: -1, currency: 'EUR' } }],
];

const badBatches = (): Bad[] => [
  ['', [usage]],
  ['requests', {}],
  ['requests', { requests: [] }],
  ['requests', { requests: Array(1_001).fill(usage) }],
  ['wait', { requests: [usage], wait: 5 }],
];

const badEvents = (): Bad[] => [
  ['specversion', { ...event, specversion: '0.3' }],
  ['id', { ...event, id: '' }],
  ['source', { ...event, source: undefined }],
  ['type', { ...event, type: 'a b' }],
  ['subject', { ...event, subject: undefined }],
  ['time', { ...event, time: 'now' }],
  ['time', { ...event, time: in_an_hour() }],
  ['data.quantity', { ...event, data: { quantity: 0 } }],
  ['data.quantity', { ...event, data: { quantity: 1, items: [item] } }],
  ['data.price', { ...event, data: { price: 0 } }],
];

const badPriceBooks = (): Bad[] => [
  ['version', { ...book, version: undefined }],
  ['effective_from', { ...book, effective_from: 'now' }],
  ['prices', { ...book, prices: {} }],
  ['prices.text.credits', { ...book, prices: { text: { credits: 0 } } }],
  ['prices.text.credits', { ...book, prices: { text: { credits: -1 } } }],
  ['prices.text.per', { ...book, prices: { text: { credits: 1, per: 0 } } }],
  ['prices.text.rounding', { ...book, prices: { text: { credits: 1, rounding: 'off' } } }],
];

/** A question, and the one parameter that its refusal must name. */
export const badQuestions: readonly (readonly [path: string, parameter: string])[] = [
  ['/v1/accounts/a%2Fb/balance', 'account_id'],
  ['/v1/accounts/nobody/balance?as_of=yesterday', 'as_of'],
  ['/v1/accounts/nobody/balance?at_least=-1', 'at_least'],
  ['/v1/accounts/nobody/balance?at_leest=1', 'at_leest'],
  ['/v1/accounts/nobody/statement?limit=0', 'limit'],
  ['/v1/accounts/nobody/statement?limit=many', 'limit'],
  [`/v1/accounts/nobody/requests/${long}`, 'request_id'],
  ['/v1/accounts/nobody/invoices/2026-13', 'period'],
  ['/v1/accounts/nobody/invoices/2026-01.pdf', 'period'],
  ['/v1/accounts?limit=1e3', 'limit'],
  ['/v1/usage/summary?from=2026-01-32', 'from'],
  ['/v1/usage/summary?group_by=colour', 'group_by[0]'],
  ['/v1/price-book?version=a%20b', 'version'],
  ['/v1/dead-letters?open=maybe', 'open'],
];
