import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';

const NOW = Date.parse('2026-06-15T12:00:00Z');

let ledger: MemoryLedger;
let gateway: Gateway;
beforeAll(async () => {
  ledger = await startMemoryLedger();
  gateway = await startGateway({ bus: ledger.bus, clock: () => NOW });
});
afterAll(async () => {
  await gateway.app.close();
  await ledger.close();
});

const usage = { account_id: 'a', request_id: 'r1', operation: 'text.generation' };
const grant = { request_id: 'g1', credits: '10', kind: 'pack' };
const book = {
  request_id: 'p1',
  version: 'v2',
  effective_from: '2026-07-01T00:00:00Z',
  prices: { 'image.generation': { credits: 1 } },
};

/** The fields that a 400 names, and what it says of them. */
async function faultsOf(url: string, body: unknown) {
  const { status, body: details } = await gateway.call(url, body);
  expect({ status, code: details.code }).toEqual({ status: 400, code: 'invalid_request' });
  const errors = details.errors as { path: string; message: string }[];
  return { paths: errors.map(({ path }) => path), messages: errors.map(({ message }) => message) };
}

const item = { operation: 'x', quantity: 1 };
const long = 'x'.repeat(129);

describe('POST /v1/usage refuses', () => {
  it.each<[string, unknown, ...string[]]>([
    ['an empty body', {}, 'account_id', 'request_id'],
    ['a list', [usage], ''],
    ['no request_id', { ...usage, request_id: undefined }, 'request_id'],
    ['an empty request_id', { ...usage, request_id: '' }, 'request_id'],
    ['a long request_id', { ...usage, request_id: long }, 'request_id'],
    ['a request_id of ours', { ...usage, request_id: 'sys:sweep:1' }, 'request_id'],
    ['a slash in an account', { ...usage, account_id: 'a/b' }, 'account_id'],
    ['the price book as an account', { ...usage, account_id: '$pricebook' }, 'account_id'],
    ['a number as an account', { ...usage, account_id: 7 }, 'account_id'],
    ['an unknown field', { ...usage, quantitty: 2 }, 'quantitty'],
    ['a tenant', { ...usage, tenant_id: 'other' }, 'tenant_id'],
    ['a type', { ...usage, type: 'CreditsGrantRequested' }, 'type'],
    ['no operation', { ...usage, operation: undefined }, 'operation'],
    ['operation and items', { ...usage, items: [item] }, 'operation'],
    [
      'quantity and items',
      { ...usage, operation: undefined, quantity: 1, items: [item] },
      'quantity',
    ],
    ['no items', { ...usage, operation: undefined, items: [] }, 'items'],
    ['17 items', { ...usage, operation: undefined, items: Array(17).fill(item) }, 'items'],
    [
      'a broken item',
      { ...usage, operation: undefined, items: [item, { operation: 'x', quantity: 1.5 }] },
      'items[1].quantity',
    ],
    ['quantity 0', { ...usage, quantity: 0 }, 'quantity'],
    ['a negative quantity', { ...usage, quantity: -1 }, 'quantity'],
    ['a quantity as text', { ...usage, quantity: '1' }, 'quantity'],
    ['too much', { ...usage, quantity: 1e12 + 1 }, 'quantity'],
    ['metadata that is no text', { ...usage, metadata: { a: 1 } }, 'metadata.a'],
    ['a long user_id', { ...usage, user_id: long }, 'user_id'],
    ['no time', { ...usage, occurred_at: 'yesterday' }, 'occurred_at'],
    ['a time without a zone', { ...usage, occurred_at: '2026-06-15T12:00:00' }, 'occurred_at'],
    ['the future', { ...usage, occurred_at: '2026-06-15T12:04:00.001Z' }, 'occurred_at'],
  ])('%s', async (_what, body, ...paths) => {
    expect((await faultsOf('/v1/usage', body)).paths).toEqual(paths);
  });

  it('but not what is 4 minutes ahead', async () => {
    const options = { key: 'reader' };
    const body = { ...usage, occurred_at: '2026-06-15T12:04:00.000Z' };
    // Read as far as the scope: a reader may not charge.
    expect((await gateway.call('/v1/usage', body, options)).status).toBe(403);
  });

  it.each<[unknown, string]>([
    [{ ...usage, request_id: 'a b' }, 'must be 1 to 128 characters out of A-Z a-z 0-9 _ . : @ -'],
    [{ ...usage, request_id: 7 }, 'must be a string'],
    [{ ...usage, request_id: undefined }, 'is required'],
    [{ ...usage, quantity: 0 }, 'must be at least 1'],
    [{ ...usage, quantity: 1e12 + 1 }, 'must be at most 1000000000000'],
    [{ ...usage, quantity: 2 ** 53 + 2 }, 'must be at most 1000000000000'],
    [{ ...usage, quantity: 1.5 }, 'must be a whole number'],
    [{ ...usage, quantity: '1' }, 'must be a whole number'],
    [{ ...usage, metadata: { a: 'x'.repeat(257) } }, 'must be at most 256 characters'],
    [{ ...usage, metadata: [] }, 'must be an object'],
    [
      { ...usage, operation: undefined, items: Array(17).fill(item) },
      'must have at most 16 entries',
    ],
    [{ ...usage, operation: undefined, items: [] }, 'must not be empty'],
    [{ ...usage, quantitty: 2 }, 'is not a known field'],
    [[usage], 'must be an object'],
  ])('says in plain words, and once, what is wrong: %#', async (body, message) => {
    expect((await faultsOf('/v1/usage', body)).messages).toEqual([message]);
  });
});

describe('POST /v1/accounts/{account_id}/grants refuses', () => {
  const url = '/v1/accounts/a/grants';

  it.each<[string, unknown, ...string[]]>([
    ['an account in the body', { ...grant, account_id: 'a' }, 'account_id'],
    ['no credits', { ...grant, credits: undefined }, 'credits'],
    ['0 credits', { ...grant, credits: 0 }, 'credits'],
    ['a fraction', { ...grant, credits: 1.5 }, 'credits'],
    ['a negative amount', { ...grant, credits: '-5' }, 'credits'],
    ['an unsafe integer', { ...grant, credits: 2 ** 53 }, 'credits'],
    ['more than 10^15', { ...grant, credits: '1000000000000001' }, 'credits'],
    ['an unknown kind', { ...grant, kind: 'gift' }, 'kind'],
    ['a priority out of range', { ...grant, priority: 1001 }, 'priority'],
    ['half a payment', { ...grant, paid: { amount_minor: 1 } }, 'paid.currency'],
  ])('%s', async (_what, body, ...paths) => {
    expect((await faultsOf(url, body)).paths).toEqual(paths);
  });

  it.each<[unknown, string]>([
    [{ ...grant, kind: 'gift' }, 'must be one of pack, promo, plan, adjustment'],
    [{ ...grant, kind: undefined }, 'is required'],
    [{ ...grant, priority: 2 ** 53 }, 'must be at most 1000'],
    [{ ...grant, paid: { currency: 'EUR' } }, 'is required'],
  ])('says in plain words, and once, what is wrong: %#', async (body, message) => {
    expect((await faultsOf(url, body)).messages).toEqual([message]);
  });

  it.each([
    ['a b', 'account_id'],
    ['$pricebook', 'account_id'],
    ['x'.repeat(129), 'account_id'],
  ])('the account %s', async (account_id, path) => {
    const url = `/v1/accounts/${encodeURIComponent(account_id)}/grants`;
    expect((await faultsOf(url, grant)).paths).toEqual([path]);
  });
});

describe('POST /v1/price-book refuses', () => {
  it.each<[string, unknown, ...string[]]>([
    ['no prices', { ...book, prices: {} }, 'prices'],
    ['a free operation', { ...book, prices: { x: { credits: 0 } } }, 'prices.x.credits'],
    [
      'an unknown rounding',
      { ...book, prices: { x: { credits: 1, rounding: 'off' } } },
      'prices.x.rounding',
    ],
    ['per 0', { ...book, prices: { x: { credits: 1, per: 0 } } }, 'prices.x.per'],
    ['a bad operation', { ...book, prices: { 'a b': { credits: 1 } } }, 'prices["a b"]'],
    [
      'per 0 of an operation with a dot',
      { ...book, prices: { 'text.generation': { credits: 1, per: 0 } } },
      'prices["text.generation"].per',
    ],
    ['no version', { ...book, version: undefined }, 'version'],
    ['no date', { ...book, effective_from: 'now' }, 'effective_from'],
  ])('%s', async (_what, body, ...paths) => {
    expect((await faultsOf('/v1/price-book', body)).paths).toEqual(paths);
  });
});

describe('POST /v1/usage/batch refuses', () => {
  it.each<[string, unknown, ...string[]]>([
    ['an empty batch', { requests: [] }, 'requests'],
    ['no batch', {}, 'requests'],
    ['a bare list', [usage], ''],
    ['more than 1,000', { requests: Array(1_001).fill(usage) }, 'requests'],
  ])('%s', async (_what, body, ...paths) => {
    expect((await faultsOf('/v1/usage/batch', body)).paths).toEqual(paths);
  });

  it('and says so in the same words, place by place', async () => {
    const requests = [{ ...usage, account_id: 7 }];
    const { body } = await gateway.call('/v1/usage/batch', { requests });
    expect(body.invalid).toEqual([
      { index: 0, errors: [{ path: 'account_id', message: 'must be a string' }] },
    ]);
  });
});

describe('before a body is read', () => {
  it.each([
    '/v1/usage',
    '/v1/usage/batch',
    '/v1/events',
    '/v1/price-book',
    '/v1/accounts/a/grants',
  ])('%s needs a known key with the scope', async (url) => {
    expect((await gateway.call(url, {}, { key: 'unknown' })).status).toBe(401);
    expect((await gateway.call(url, {}, { key: 'reader' })).status).toBe(403);
  });

  it('broken JSON, another type and an unknown route are answered as what they are', async () => {
    expect((await gateway.call('/v1/usage', '{"request_id":')).status).toBe(400);
    const headers = { 'content-type': 'text/csv' };
    expect((await gateway.call('/v1/usage', 'a,b', { headers })).status).toBe(415);
    expect((await gateway.call('/v1/usages', usage)).status).toBe(404);
    expect((await gateway.call('/v1/usage', undefined, { method: 'GET' })).status).toBe(404);
    const large = { ...usage, metadata: { a: 'x'.repeat(5 * 1024 * 1024) } };
    expect((await gateway.call('/v1/usage', large)).status).toBe(413);
  });
});

it('nothing of all this was published', () => expect(ledger.taken).toEqual([]));
