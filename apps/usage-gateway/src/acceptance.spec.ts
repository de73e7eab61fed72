import { TOPICS } from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';
import { GATEWAY_LIMITS } from './gateway.js';

type Publish = MessageBus['publish'];

let ledger: MemoryLedger;
const open: Gateway[] = [];
beforeEach(async () => {
  ledger = await startMemoryLedger();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ app }) => app.close()));
  await ledger.close();
});

/** A gateway whose publishes go through `publish`, and what it published. */
async function gatewayOn(publish: (real: Publish) => Publish, limits = GATEWAY_LIMITS) {
  const calls: (readonly OutgoingMessage[])[] = [];
  const through = publish((...of) => ledger.bus.publish(...of));
  const bus: MessageBus = {
    ...ledger.bus,
    publish(topic, messages) {
      expect(topic).toBe(TOPICS.requests);
      calls.push(messages);
      return through(topic, messages);
    },
  };
  const gateway = await startGateway({ bus, limits });
  open.push(gateway);
  return { ...gateway, calls };
}

const usage = { account_id: 'a', request_id: 'r1', operation: 'text.generation' };
const requests = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...usage, request_id: `r${index}` }));
const nobodyKnows = {
  status: 503,
  headers: { 'retry-after': '1' },
  body: { code: 'not_known_to_be_accepted', detail: expect.stringContaining('repeat') },
};
const lost: Publish = () => Promise.reject(new Error('broker postgres://u:hunter2@b is away'));

it('leaves the time to the broker when the caller names none: its own clock may be ahead', async () => {
  const { call, calls } = await gatewayOn((real) => real);
  const occurred_at = '2026-01-01T00:00:00.000Z';
  await call('/v1/usage', usage);
  await call('/v1/usage/batch', { requests: [{ ...usage, request_id: 'r2', occurred_at }] });
  const times = calls.flat().map(({ value }) => JSON.parse(String(value)).occurred_at as unknown);
  expect(times).toEqual([undefined, occurred_at]);
});

describe('a publish that fails', () => {
  it('is 503: repeat it with the same request_id', async () => {
    const { call, log } = await gatewayOn(() => lost);
    const answer = await call('/v1/usage', usage);
    expect(answer).toMatchObject(nobodyKnows);
    expect(answer.body.request_id).toBe('r1');
    const logged = String(log.read());
    expect(logged).toContain('a publish failed');
    expect(logged).not.toContain('hunter2');
  });

  it('is 503 also for who does not wait, and for a batch', async () => {
    const { call } = await gatewayOn(() => lost);
    const headers = { prefer: 'respond-async' };
    expect(await call('/v1/usage', usage, { headers })).toMatchObject(nobodyKnows);
    const batch = { requests: requests(2) };
    expect(await call('/v1/usage/batch', batch)).toMatchObject(nobodyKnows);
  });

  it('F9: that never answers is 503 within its own deadline', async () => {
    const limits = { ...GATEWAY_LIMITS, publish_timeout_ms: 20 };
    const { call } = await gatewayOn(() => () => new Promise(() => {}), limits);
    expect(await call('/v1/usage', usage)).toMatchObject(nobodyKnows);
  });

  it('F11: that fails after it was given up harms nothing', async () => {
    const limits = { ...GATEWAY_LIMITS, publish_timeout_ms: 5 };
    const late: Publish = () =>
      new Promise((_resolve, reject) => setTimeout(() => reject(new Error('late')), 15));
    const { call } = await gatewayOn(() => late, limits);
    expect((await call('/v1/usage', usage)).status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await call('/healthz')).status).toBe(200);
  });

  it('after the message was written: the repeat finds the decision, nothing is charged twice', async () => {
    let fail = true;
    const gateway = await gatewayOn((real) => async (...of) => {
      await real(...of);
      if (fail) throw new Error('the answer got lost');
    });
    const grant = { request_id: 'g', credits: 10, kind: 'pack' };
    fail = false;
    await gateway.call('/v1/accounts/a/grants', grant);
    fail = true;
    await gateway.call('/v1/usage', usage);
    fail = false;
    expect(await gateway.call('/v1/usage', usage)).toMatchObject({
      status: 200,
      body: { replayed: true, balance_after: { available: '9' } },
    });
  });
});

describe('a decision', () => {
  it('proves that its request is durable, whatever the publish says later', async () => {
    const gateway = await gatewayOn((real) => async (...of) => {
      await real(...of);
      await new Promise(() => {});
    });
    const grant = { request_id: 'g', credits: 10, kind: 'pack' };
    expect((await gateway.call('/v1/accounts/a/grants', grant)).status).toBe(200);
  });
});

describe('nothing is answered before it is durable', () => {
  it.each(['wait=0', 'wait=1'])('%s', async (prefer) => {
    const go = ledger.pause();
    let release = () => {};
    const gateway = await gatewayOn((real) => async (...of) => {
      await new Promise<void>((resolve) => (release = resolve));
      return real(...of);
    });
    let answered = false;
    const answer = gateway.call('/v1/usage', usage, { headers: { prefer } });
    const noted = answer.then(() => (answered = true));
    while (gateway.calls.length === 0) await new Promise(setImmediate);
    await new Promise((resolve) => setTimeout(resolve, prefer === 'wait=1' ? 1_050 : 20));
    expect(answered).toBe(false);
    release();
    expect((await answer).status).toBe(202);
    await noted;
    go();
  });
});

describe('a limit on what is in flight', () => {
  it('refuses one more with 503, and lets in again when there is room', async () => {
    const limits = { ...GATEWAY_LIMITS, max_in_flight: 2 };
    const { call, ports } = await gatewayOn((real) => real, limits);
    const go = ledger.pause();
    const waiting = [call('/v1/usage', usage), call('/v1/usage', usage)];
    while ((await ports.metrics.in_flight.get()).values[0]?.value !== 2) {
      await new Promise(setImmediate);
    }
    const refused = await call('/v1/usage', usage);
    expect(refused).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { code: 'too_many_in_flight' },
    });
    go();
    await Promise.all(waiting);
    expect((await call('/v1/usage', usage)).status).toBe(402);
  });

  it('counts every request of a batch', async () => {
    const limits = { ...GATEWAY_LIMITS, max_in_flight: 5 };
    const { call, calls } = await gatewayOn((real) => real, limits);
    expect((await call('/v1/usage/batch', { requests: requests(6) })).status).toBe(503);
    expect(calls).toEqual([]);
    expect((await call('/v1/usage/batch', { requests: requests(5) })).status).toBe(202);
  });
});
