import { REPLY_TO_HEADER, TOPICS } from '#libs/contracts';
import type { MessageBus } from '#libs/message-bus';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';

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

const usage = { account_id: 'a', request_id: 'r1', operation: 'text.generation' };
const charge = (body: object, prefer?: string, on = gateway) =>
  on.call('/v1/usage', body, { headers: prefer === undefined ? {} : { prefer } });

/** Waits until the requests are on the bus. */
async function published(count: number) {
  const written = async () => {
    const positions = await ledger.bus.positions('spec', [TOPICS.requests]);
    return positions.reduce((sum, { end }) => sum + end, 0);
  };
  while ((await written()) < count + 1) await sleep(1);
}

describe('Prefer', () => {
  it.each(['respond-async', 'wait=0'])(
    '%s: 202 with where the decision will be',
    async (prefer) => {
      const go = ledger.pause();
      const { status, headers, body } = await charge(usage, prefer);
      expect({ status, body }).toEqual({
        status: 202,
        body: {
          status: 'accepted',
          account_id: 'a',
          request_id: 'r1',
          fingerprint: expect.stringMatching(/^v1:/),
        },
      });
      expect(headers.location).toBe('/v1/accounts/a/requests/r1');
      expect(headers['preference-applied']).toBe(prefer);
      go();
      // It was durable: the decision is there, and has the fingerprint that was answered.
      const decided = await charge(usage);
      expect(decided).toMatchObject({ status: 200, body: { fingerprint: body.fingerprint } });
    },
  );

  it('wait=1: 202 when the second is over', async () => {
    const go = ledger.pause();
    const { status, headers } = await charge(usage, 'wait=1');
    expect({ status, applied: headers['preference-applied'] }).toEqual({
      status: 202,
      applied: 'wait=1',
    });
    go();
  });

  it('waits without being asked', async () => {
    const go = ledger.pause();
    const answer = charge(usage);
    await published(1);
    go();
    const { status, headers } = await answer;
    expect(status).toBe(200);
    expect(headers['preference-applied']).toBeUndefined();
  });

  it('says where the decision of a pending price book will be', async () => {
    const book = {
      request_id: 'p1',
      version: 'v2',
      effective_from: '2099-01-01T00:00:00Z',
      prices: { x: { credits: 1 } },
    };
    const options = { headers: { prefer: 'wait=0' } };
    const { status, headers } = await gateway.call('/v1/price-book', book, options);
    expect({ status, to: headers.location }).toEqual({
      status: 202,
      to: '/v1/price-book/requests/p1',
    });
  });
});

describe('who waits gets its own answer', () => {
  it('several callers with one request: all of them', async () => {
    const go = ledger.pause();
    const answers = [1, 2, 3].map(() => charge(usage));
    await published(3);
    go();
    const fingerprints = (await Promise.all(answers)).map(({ status, body }) => {
      expect(status).toBe(200);
      return body.fingerprint;
    });
    expect(new Set(fingerprints).size).toBe(1);
    expect((await charge({ ...usage, request_id: 'r2' })).body).toMatchObject({
      balance_after: { available: '98' },
    });
  });

  it('two callers with one id and other content: one charge, one conflict', async () => {
    const go = ledger.pause();
    const answers = [charge({ ...usage, quantity: 1 }), charge({ ...usage, quantity: 2 })];
    await published(2);
    go();
    const [one, two] = await Promise.all(answers);
    expect(new Set([one!.status, two!.status])).toEqual(new Set([200, 409]));
    expect(one!.body.fingerprint).not.toBe(two!.body.fingerprint);
  });

  it('two gateways: each reads only what answers its own callers', async () => {
    const other = await startGateway({ bus: ledger.bus });
    const go = ledger.pause();
    const answers = [charge(usage), charge(usage, undefined, other)];
    await published(2);
    go();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual([200, 200]);
    const addresses = ledger.taken.map(({ headers }) => headers[REPLY_TO_HEADER]);
    expect(new Set(addresses).size).toBe(2);
    await other.app.close();
  });

  it('a decision for another instance is skipped unread, a bad one of its own is logged', async () => {
    const { headers } = ledger.taken[0]!;
    const bad = { key: 'dev/a', value: 'not JSON' };
    await ledger.bus.publish(TOPICS.decisions, [
      { ...bad, headers: { [REPLY_TO_HEADER]: 'another' } },
      { ...bad, headers: {} },
      { ...bad, headers },
    ]);
    expect((await charge(usage)).status).toBe(200);
    expect(String(gateway.log.read()).match(/cannot be read/g)).toHaveLength(1);
  });
});

describe('stopping', () => {
  it('answers who waits at once with 202, and takes what still comes', async () => {
    const go = ledger.pause();
    const answer = charge(usage, 'wait=60');
    await published(1);
    const closed = gateway.app.close();
    expect((await answer).status).toBe(202);
    await closed;
    go();
  });
});

describe('the bus', () => {
  it('makes the gateway unready when it does not answer', async () => {
    let away = false;
    const bus: MessageBus = {
      ...ledger.bus,
      positions: async (...of) => {
        if (away) throw new Error('no broker');
        return ledger.bus.positions(...of);
      },
    };
    const on = await startGateway({ bus });
    expect((await on.call('/readyz')).status).toBe(200);
    away = true;
    expect(await on.call('/readyz')).toMatchObject({
      status: 503,
      body: { checks: { message_bus: 'no broker' } },
    });
    await on.app.close();
  });
});
