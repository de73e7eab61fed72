import { REPLY_TO_HEADER, TOPICS } from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';

interface BatchAnswer {
  readonly accepted: number;
  readonly undecided: number;
  readonly invalid: readonly unknown[];
  readonly decisions: readonly Record<string, unknown>[];
}

let ledger: MemoryLedger;
let gateway: Gateway;
/** What becomes of a publish, in place of the bus's own. */
let publish: MessageBus['publish'];
const calls: (readonly OutgoingMessage[])[] = [];
beforeEach(async () => {
  ledger = await startMemoryLedger();
  publish = (...of) => ledger.bus.publish(...of);
  const bus: MessageBus = {
    ...ledger.bus,
    publish(topic, messages) {
      calls.push(messages);
      return publish(topic, messages);
    },
  };
  gateway = await startGateway({ bus });
  await gateway.call('/v1/accounts/a/grants', { request_id: 'g1', credits: 50, kind: 'pack' });
  calls.length = 0;
});
afterEach(async () => {
  await gateway.app.close();
  await ledger.close();
});

const usage = { account_id: 'a', request_id: 'r1', operation: 'image.generation' };
const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ ...usage, request_id: `r${from + i}` }));

async function send(requests: readonly unknown[], prefer?: string) {
  const headers = prefer === undefined ? {} : { prefer };
  const answer = await gateway.call('/v1/usage/batch', { requests }, { headers });
  return { ...answer, body: answer.body as unknown as BatchAnswer };
}
const outcomesOf = ({ body }: { body: BatchAnswer }) =>
  body.decisions.map(({ index, outcome, replayed }) => [index, outcome, replayed]);

describe('who says how long to wait gets the decisions', () => {
  it('200 when all are decided: each with its index, as POST /v1/usage answers it', async () => {
    const { status, headers, body } = await send([usage], 'wait=5');
    const alone = await gateway.call('/v1/usage', usage);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        accepted: 1,
        undecided: 0,
        invalid: [],
        decisions: [{ index: 0, ...alone.body, replayed: false }],
      },
    });
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(headers['preference-applied']).toBe('wait=5');
  });

  it('the index is the place in the batch, whatever is invalid before it', async () => {
    const answer = await send([{ ...usage, quantity: 0 }, usage, 'nonsense', usage], 'wait=5');
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ accepted: 2, invalid: [{ index: 0 }, { index: 2 }] });
    expect(outcomesOf(answer).map(([index]) => index)).toEqual([1, 3]);
  });

  it('a rejection and a conflict are decisions like others, and replays say so', async () => {
    await send([usage], 'wait=5');
    const batch = [usage, { ...usage, quantity: 2 }, ...numbered(2, 2)];
    const answer = await send(batch, 'wait=5');
    expect(answer.status).toBe(200);
    expect(outcomesOf(answer)).toEqual([
      [0, 'consumed', true],
      [1, 'conflict', false],
      [2, 'consumed', false],
      [3, 'rejected', false],
    ]);
    expect(answer.body.decisions[3]).toMatchObject({
      reason: 'insufficient_credits',
      shortfall: '10',
    });
  });

  it('a request that is in it twice is charged once, and replayed once', async () => {
    expect(outcomesOf(await send([usage, usage], 'wait=5'))).toEqual([
      [0, 'consumed', false],
      [1, 'consumed', true],
    ]);
  });

  it('two batches with the same requests: a charge in one, a replay in the other', async () => {
    const both = await Promise.all([send(numbered(2), 'wait=5'), send(numbered(2), 'wait=5')]);
    const replays = both
      .flatMap(outcomesOf)
      .map(([index, , replayed]) => `${String(index)} ${String(replayed)}`);
    expect(new Set(replays)).toEqual(new Set(['0 false', '0 true', '1 false', '1 true']));
  });

  it('1,000 requests with one publish', async () => {
    const { status, body } = await send(numbered(1_000), 'wait=30');
    expect({ status, accepted: body.accepted }).toEqual({ status: 200, accepted: 1_000 });
    expect(body.decisions.map(({ index, request_id }) => [index, request_id])).toEqual(
      numbered(1_000).map(({ request_id }, index) => [index, request_id]),
    );
    expect(calls.map((messages) => messages.length)).toEqual([1_000]);
  });

  it('of what cannot be read: 200 at once, and nothing is published', async () => {
    const { status, body } = await send([{}], 'wait=60');
    expect({ status, body }).toMatchObject({ status: 200, body: { accepted: 0, decisions: [] } });
    expect(calls).toEqual([]);
  });
});

describe('when the wait is over before all are decided', () => {
  it('202 with those that are decided, and how many are not', async () => {
    // Of every call only what is about account a reaches the writer in time.
    publish = (topic, messages) =>
      ledger.bus.publish(
        topic,
        messages.filter(({ key }) => key === 'dev/a'),
      );
    const late = { ...usage, account_id: 'b' };
    const answer = await send([late, usage, late], 'wait=1');
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ accepted: 3, undecided: 2, invalid: [] });
    expect(outcomesOf(answer)).toEqual([[1, 'consumed', false]]);
    expect(answer.headers['preference-applied']).toBe('wait=1');
  });
});

describe('who does not say how long to wait gets 202 at once', () => {
  it.each([undefined, 'wait=0', 'respond-async'])('Prefer: %s', async (prefer) => {
    const go = ledger.pause();
    const { status, body, headers } = await send([usage, {}], prefer);
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { accepted: 1, undecided: 1, invalid: [{ index: 1 }], decisions: [] },
    });
    expect(headers['preference-applied']).toBe(prefer);
    go();
    // Nobody waits, so no gateway has to look at the decisions.
    expect(calls[0]!.map((message) => message.headers?.[REPLY_TO_HEADER])).toEqual([undefined]);
    expect((await gateway.call('/v1/usage', usage)).body).toMatchObject({ replayed: true });
  });

  it('is durable with one publish, whatever its size', async () => {
    const { status, body } = await send(numbered(1_000));
    expect({ status, body }).toEqual({
      status: 202,
      body: { accepted: 1_000, undecided: 1_000, invalid: [], decisions: [] },
    });
    expect(calls.map((messages) => messages.length)).toEqual([1_000]);
    expect(calls[0]![0]).toMatchObject({ key: 'dev/a', value: expect.stringContaining('"r0"') });
  });
});

describe('what cannot be read', () => {
  it('is named, and does not hold up the rest', async () => {
    const { body } = await send([
      { ...usage, request_id: 'ok' },
      { ...usage, quantity: 0 },
      'nonsense',
      { ...usage, request_id: 'ok' },
      { ...usage, occurred_at: '2999-01-01T00:00:00Z' },
    ]);
    expect(body).toMatchObject({
      accepted: 2,
      invalid: [
        { index: 1, errors: [{ path: 'quantity' }] },
        { index: 2, errors: [{ path: '' }] },
        { index: 4, errors: [{ path: 'occurred_at' }] },
      ],
    });
    expect(calls[0]).toHaveLength(2);
  });
});

describe('a publish that fails', () => {
  it('is 503, though some may be decided: repeating all of it is safe', async () => {
    publish = async (topic, messages) => {
      await ledger.bus.publish(topic, messages.slice(0, 1));
      throw new Error('the rest got lost');
    };
    const answer = await send(numbered(2), 'wait=5');
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(answer.body).toMatchObject({ code: 'not_known_to_be_accepted' });
    publish = (...of) => ledger.bus.publish(...of);
    expect(outcomesOf(await send(numbered(2), 'wait=5'))).toEqual([
      [0, 'consumed', true],
      [1, 'consumed', false],
    ]);
  });

  it('after all were decided is no matter: they are durable', async () => {
    publish = async (topic, messages) => {
      expect(topic).toBe(TOPICS.requests);
      await ledger.bus.publish(topic, messages);
      await new Promise(() => {});
    };
    expect((await send(numbered(2), 'wait=5')).status).toBe(200);
  });
});
