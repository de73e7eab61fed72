import { hash } from 'node:crypto';
import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';
import { requestIdOf } from './cloud-events.js';

const ONE = 'application/cloudevents+json';
const MANY = 'application/cloudevents-batch+json';

let ledger: MemoryLedger;
let gateway: Gateway;
beforeEach(async () => {
  ledger = await startMemoryLedger();
  gateway = await startGateway({ bus: ledger.bus });
  await gateway.call('/v1/accounts/a/grants', { request_id: 'g1', credits: 100, kind: 'pack' });
});
afterEach(async () => {
  await gateway.app.close();
  await ledger.close();
});

const event = {
  specversion: '1.0',
  id: '1',
  source: '/renderer',
  type: 'image.generation',
  subject: 'a',
};
const send = (body: unknown, type = ONE, headers = {}) =>
  gateway.call('/v1/events', body, { headers: { 'content-type': type, ...headers } });

describe('the request_id of an event', () => {
  it('is ce: and 32 hex of SHA-256 over source, NUL, id', () => {
    const digest = hash('sha256', Buffer.from('/renderer\u00001', 'utf8'), 'hex');
    expect(requestIdOf('/renderer', '1')).toBe(`ce:${digest.slice(0, 32)}`);
    expect(requestIdOf('/renderer', '1')).toMatch(/^ce:[0-9a-f]{32}$/);
  });

  it('differs with the source, and with where the source ends', () => {
    const ids = [requestIdOf('a', 'bc'), requestIdOf('ab', 'c'), requestIdOf('x', 'bc')];
    expect(new Set(ids).size).toBe(3);
  });
});

describe('a single event', () => {
  it('is answered like POST /v1/usage', async () => {
    const { status, body } = await send({ ...event, data: { quantity: 2 } });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { request_id: requestIdOf('/renderer', '1'), outcome: 'consumed', credits: '40' },
    });
    expect(await send({ ...event, data: { quantity: 2 } })).toMatchObject({
      status: 200,
      headers: { 'idempotent-replayed': 'true' },
    });
    expect((await send({ ...event, data: { quantity: 3 } })).status).toBe(409);
    expect((await send({ ...event, id: '2', data: { quantity: 9 } })).status).toBe(402);
  });

  it('without data counts once; with items its type is only a name', async () => {
    expect((await send(event)).body).toMatchObject({ credits: '20' });
    const items = [{ operation: 'text.generation', quantity: 3 }];
    const { body } = await send({
      ...event,
      id: '2',
      type: 'com.example/turn done',
      data: { items },
    });
    expect(body).toMatchObject({ credits: '3' });
  });

  it('takes what is null for what is not there', async () => {
    const unset = { time: null, datacontenttype: null, data_base64: null, data: null, a: null };
    expect((await send({ ...event, ...unset })).body).toMatchObject({ credits: '20' });
    const { status, body } = await send({ ...event, id: null, data: { quantity: null } });
    expect({ status, errors: body.errors }).toEqual({
      status: 400,
      errors: [
        { path: 'id', message: 'is required' },
        { path: 'data.quantity', message: expect.any(String) },
      ],
    });
  });

  it('may carry extensions, a time and whose it was', async () => {
    const { status } = await send({
      ...event,
      time: '2026-01-31T12:00:00+01:00',
      datacontenttype: 'application/json',
      traceparent: '00-1-2-01',
      data: { user_id: 'u1', metadata: { model: 'm' } },
    });
    expect(status).toBe(200);
    const [, { value }] = ledger.taken as unknown as [unknown, { value: string }];
    expect(JSON.parse(value)).toMatchObject({
      occurred_at: '2026-01-31T11:00:00.000Z',
      user_id: 'u1',
      metadata: { model: 'm' },
    });
    expect(value).not.toContain('traceparent');
  });

  it('waits as Prefer says', async () => {
    const go = ledger.pause();
    const { status, headers } = await send(event, ONE, { prefer: 'wait=0' });
    expect(status).toBe(202);
    expect(headers.location).toBe(`/v1/accounts/a/requests/${requestIdOf('/renderer', '1')}`);
    go();
  });

  it.each<[string, object, string]>([
    ['no id', { id: undefined }, 'id'],
    ['an empty source', { source: '' }, 'source'],
    ['another version', { specversion: '0.3' }, 'specversion'],
    ['no account', { subject: undefined }, 'subject'],
    ['a type that is no operation', { type: 'a b' }, 'type'],
    ['quantity 0', { data: { quantity: 0 } }, 'data.quantity'],
    ['a stranger in data', { data: { units: 1 } }, 'data.units'],
    [
      'items and quantity',
      { data: { items: [{ operation: 'x', quantity: 1 }], quantity: 1 } },
      'data.quantity',
    ],
    ['data that nobody reads', { data_base64: 'eyJxdWFudGl0eSI6IDUwfQ==' }, 'data_base64'],
    ['data of another type', { datacontenttype: 'text/plain' }, 'datacontenttype'],
    ['NUL, which divides source and id,', { id: 'b\u0000c' }, 'id'],
    ['half a surrogate pair', { source: '\ud800' }, 'source'],
    ['the future', { time: '2999-01-01T00:00:00Z' }, 'time'],
  ])('with %s is 400', async (_what, change, path) => {
    const { status, body } = await send({ ...event, ...change });
    expect({ status, errors: body.errors }).toEqual({
      status: 400,
      errors: [{ path, message: expect.any(String) }],
    });
  });
});

describe('a batch', () => {
  it('is answered event by event, in its order', async () => {
    const { status, headers, body } = await send(
      [
        { ...event, id: '1' },
        { ...event, id: '2', subject: 'a b' },
        { ...event, id: '3', data: { quantity: 50 } },
        { ...event, id: '1' },
        { ...event, id: '1', data: { quantity: 2 } },
      ],
      MANY,
      { prefer: 'wait=5' },
    );
    expect(status).toBe(207);
    expect(headers['preference-applied']).toBe('wait=5');
    const results = body.results as { index: number; status: number; body: object }[];
    expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(results.map((result) => result.status)).toEqual([200, 400, 402, 200, 409]);
    expect(results[1]!.body).toMatchObject({
      code: 'invalid_request',
      errors: [{ path: 'subject' }],
    });
    expect(results[2]!.body).toMatchObject({ code: 'insufficient_credits' });
  });

  it('of bad events alone publishes nothing', async () => {
    const before = ledger.taken.length;
    const { status, body } = await send([{}, 7], MANY);
    expect({ status, results: body.results }).toMatchObject({
      status: 207,
      results: [{ status: 400 }, { status: 400 }],
    });
    expect(ledger.taken).toHaveLength(before);
  });

  it('of none has no results', async () => {
    const before = ledger.taken.length;
    for (const type of [MANY, 'application/json']) {
      const { status, headers, body } = await send([], type, { prefer: 'wait=1' });
      expect({ status, body }).toEqual({ status: 207, body: { results: [] } });
      expect(headers['preference-applied']).toBe('wait=1');
    }
    expect(ledger.taken).toHaveLength(before);
  });

  it('may come as application/json, where a list is a batch', async () => {
    expect((await send([event], 'application/json')).status).toBe(207);
    expect((await send({ ...event, id: '2' }, 'application/json; charset=utf-8')).status).toBe(200);
  });

  it.each<[string, unknown, string]>([
    ['one event', event, MANY],
    ['a list as a single event', [event], ONE],
    ['more than 1,000', Array(1_001).fill(event), MANY],
  ])('of %s is 400', async (_what, body, type) => {
    expect((await send(body, type)).status).toBe(400);
  });
});

it('the binary form is 415, and says what is taken', async () => {
  const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/r', 'ce-type': 'x' };
  const { status, body } = await send({}, 'application/json', headers);
  expect({ status, detail: body.detail }).toEqual({
    status: 415,
    detail: expect.stringContaining(MANY),
  });
});
