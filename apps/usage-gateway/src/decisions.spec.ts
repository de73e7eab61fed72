import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';

let ledger: MemoryLedger;
let gateway: Gateway;
beforeAll(async () => {
  ledger = await startMemoryLedger();
  gateway = await startGateway({ bus: ledger.bus });
});
afterAll(async () => {
  await gateway.app.close();
  await ledger.close();
});

let accounts = 0;
/** A new account with these credits. */
async function account(credits = 100): Promise<string> {
  const account_id = `acct-${accounts++}`;
  const grant = { request_id: 'g1', credits, kind: 'pack' };
  const { status } = await gateway.call(`/v1/accounts/${account_id}/grants`, grant);
  expect(status).toBe(200);
  return account_id;
}
const charge = (body: object, headers = {}) => gateway.call('/v1/usage', body, { headers });
const image = { request_id: 'r1', operation: 'image.generation' };

describe('a decided write is answered with its decision', () => {
  it('200: consumed', async () => {
    const account_id = await account();
    expect(await charge({ ...image, account_id, quantity: 2 })).toMatchObject({
      status: 200,
      body: {
        tenant_id: 'dev',
        account_id,
        request_id: 'r1',
        fingerprint: expect.stringMatching(/^v1:[0-9a-f]{64}$/),
        outcome: 'consumed',
        credits: '40',
        balance_after: { available: '60', reserved: '0' },
        price_book_version: 'start',
        revision: 1,
        replayed: false,
      },
    });
  });

  it('200: granted', async () => {
    const grant = { request_id: 'g1', credits: '1000000000000000', kind: 'promo', priority: 5 };
    const { status, headers, body } = await gateway.call('/v1/accounts/rich/grants', grant);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { outcome: 'granted', credits: '1000000000000000' },
    });
    expect(headers['content-type']).toContain('application/json');
    expect(headers['idempotent-replayed']).toBeUndefined();
  });

  it('200: price_book_published, 422 the second time', async () => {
    const effective_from = new Date(Date.now() + 3_600_000).toISOString();
    const prices = { 'image.generation': { credits: 25 } };
    const book = { request_id: 'p1', version: 'v2', effective_from, prices };
    expect(await gateway.call('/v1/price-book', book)).toMatchObject({
      status: 200,
      body: { outcome: 'price_book_published', price_book_version: 'v2' },
    });
    expect(await gateway.call('/v1/price-book', { ...book, request_id: 'p2' })).toMatchObject({
      status: 422,
      body: { code: 'version_exists' },
    });
    const soon = {
      ...book,
      request_id: 'p3',
      version: 'v3',
      effective_from: '2020-01-01T00:00:00Z',
    };
    expect(await gateway.call('/v1/price-book', soon)).toMatchObject({
      status: 422,
      body: { code: 'effective_from_too_soon' },
    });
  });

  it('402: insufficient_credits, with price and shortfall', async () => {
    const account_id = await account(30);
    const { status, body } = await charge({ ...image, account_id, quantity: 2 });
    expect({ status, body }).toMatchObject({
      status: 402,
      body: {
        title: 'Payment Required',
        code: 'insufficient_credits',
        outcome: 'rejected',
        request_id: 'r1',
        price: '40',
        shortfall: '10',
        credits: '0',
        balance_after: { available: '30', reserved: '0' },
        detail: 'it costs 40 credits and 10 of them are missing',
      },
    });
  });

  it.each([
    ['unknown_operation', { operation: 'time.travel' }],
    ['price_too_large', { operation: 'gold.plating', quantity: 2 }],
  ])('422: %s', async (code, usage) => {
    const account_id = await account();
    const { status, body } = await charge({ request_id: 'r1', account_id, ...usage });
    expect({ status, body }).toMatchObject({ status: 422, body: { code, reason: code } });
  });

  it('422: already_expired', async () => {
    const grant = { request_id: 'g', credits: 1, kind: 'plan', expires_at: '2020-01-01T00:00:00Z' };
    expect(await gateway.call('/v1/accounts/late/grants', grant)).toMatchObject({
      status: 422,
      body: { code: 'already_expired' },
    });
  });

  it('for all lines or for none', async () => {
    const account_id = await account(25);
    const items = [
      { operation: 'image.generation', quantity: 1 },
      { operation: 'text.generation', quantity: 10 },
    ];
    const { status, body } = await charge({ request_id: 'r1', account_id, items });
    expect({ status, body }).toMatchObject({ status: 402, body: { price: '30', shortfall: '5' } });
  });
});

describe('repeating a request', () => {
  it.each([
    ['a charge', 100, 200],
    ['a rejection', 10, 402],
  ])('replays status and body of %s', async (_what, credits, status) => {
    const account_id = await account(credits);
    const first = await charge({ ...image, account_id });
    const second = await charge({ ...image, account_id });
    expect([first.status, second.status]).toEqual([status, status]);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.body).toEqual({ ...first.body, replayed: true });
  });

  it('is the same request in either spelling, at another time, with other notes', async () => {
    const account_id = await account();
    await charge({ ...image, account_id });
    const { status, body } = await charge({
      request_id: 'r1',
      account_id,
      items: [{ operation: 'image.generation', quantity: 1 }],
      occurred_at: '2026-01-01T00:00:00+02:00',
      metadata: { attempt: '2' },
    });
    expect({ status, body }).toMatchObject({ status: 200, body: { replayed: true } });
  });

  it('409: with other content it is a conflict, with both fingerprints', async () => {
    const account_id = await account();
    const first = await charge({ ...image, account_id });
    const second = await charge({ ...image, account_id, quantity: 3 });
    const { fingerprint } = first.body;
    expect(second).toMatchObject({
      status: 409,
      body: { code: 'conflict', outcome: 'conflict', original_fingerprint: fingerprint },
    });
    expect(second.body.fingerprint).not.toBe(fingerprint);
  });

  it('of another account or tenant is another request', async () => {
    const [one, two] = [await account(), await account()];
    await charge({ ...image, account_id: one });
    expect((await charge({ ...image, account_id: two })).body).toMatchObject({ replayed: false });
    const foreign = await gateway.call(
      '/v1/usage',
      { ...image, account_id: one },
      { key: 'other' },
    );
    expect(foreign).toMatchObject({ status: 402, body: { tenant_id: 'other' } });
  });
});
