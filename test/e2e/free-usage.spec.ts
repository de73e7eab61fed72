import { originalBytes, TOPICS, type DeadLetter } from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';
import { balance, charge, eventually, explained, grant, statement } from './asking.js';
import { badBodies, badQuestions } from './bad-input.js';
import { publish, usageMessage } from './bus.js';
import { POISON_HEADER, poisonOf } from './poison.js';
import { recorded } from './recorded.js';
import { describeSystem, expectSound } from './suite.js';

describeSystem('free usage', (system) => {
  let pid: number;
  beforeAll(() => {
    ({ pid } = system());
  });

  async function onUsage(): Promise<ReceivedMessage[]> {
    const engines = await system().openEngines();
    try {
      const messages: ReceivedMessage[] = [];
      for await (const batch of engines.bus.scan(TOPICS.usage)) messages.push(...batch);
      return messages;
    } finally {
      await engines.close();
    }
  }

  const filedLetters = async (): Promise<DeadLetter[]> =>
    (await system().cli('dead-letters', 'list', '--json', '--limit', '200')).lines('dead_letter');

  it('poison among good messages is dead-lettered with its bytes, and the rest flows', async () => {
    const account_id = 'poisoned';
    await grant(system(), account_id, { request_id: 'pack', credits: '1000' });
    const poison = poisonOf(account_id);
    const good = (n: number) =>
      usageMessage({ account_id, request_id: `good-${n}`, operation: 'text.generation' });
    await publish(system(), [
      good(0),
      ...poison.flatMap(({ message }, n) => [message, good(n + 1)]),
    ]);

    const letters = await eventually('all dead letters are filed', async () => {
      const filed = await filedLetters();
      return filed.length >= poison.length && filed;
    });
    const onTheBus = new Map((await onUsage()).map((at) => [at.headers[POISON_HEADER], at]));
    const expected = poison.map(({ name, reason, message }) => {
      const { topic, partition, offset } = onTheBus.get(name)!;
      const { value } = message;
      const bytes = value === null ? null : Buffer.from(value).toString('hex');
      return { name, reason, source: { topic, partition, offset }, bytes };
    });
    const found = letters.map((letter) => ({
      name: letter.headers[POISON_HEADER],
      reason: letter.reason,
      source: letter.source,
      bytes: originalBytes(letter)?.toString('hex') ?? null,
    }));
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
      String(a.name).localeCompare(String(b.name));
    expect(found.sort(byName)).toEqual(expected.sort(byName));

    const last = await explained(system(), account_id, `good-${poison.length}`);
    const { revision } = last['decision'] as { revision: number };
    const entries = await statement(system(), account_id, revision);
    const ids = entries.map(({ request_id }) => request_id);
    expect(ids).toEqual(['pack', ...Array.from({ length: ids.length - 1 }, (_, n) => `good-${n}`)]);
    expect(ids).toHaveLength(poison.length + 2);
    const left = 1_000 - poison.length - 1;
    expect(await balance(system(), account_id, revision)).toMatchObject({
      available: String(left),
    });
  });

  it('what has no price is rejected and recorded, alone and among priced lines', async () => {
    const account_id = 'unpriced';
    await grant(system(), account_id, { request_id: 'pack', credits: '100' });
    const unknown = { account_id, request_id: 'lunch-1', operation: 'free.lunch' };
    const rejection = {
      status: 422,
      body: { code: 'unknown_operation', operation: 'free.lunch', credits: '0' },
    };
    expect(await charge(system(), unknown)).toMatchObject(rejection);
    const items = [
      { operation: 'image.generation', quantity: 1 },
      { operation: 'free.lunch', quantity: 1 },
    ];
    const among = await charge(system(), { account_id, request_id: 'lunch-2', items });
    expect(among).toMatchObject(rejection);
    await publish(system(), [usageMessage({ ...unknown, request_id: 'lunch-3' })]);
    const { decision } = (await explained(system(), account_id, 'lunch-3')) as {
      decision: { revision: number };
    };
    expect(decision).toMatchObject({ outcome: 'rejected', reason: 'unknown_operation' });
    expect(await balance(system(), account_id, decision.revision)).toMatchObject({
      available: '100',
      revision: 3,
    });
  });

  it('bad input over HTTP is refused by the name of the field, and nothing is recorded', async () => {
    const before = await recorded(system());
    const bodies = badBodies();
    const answers = await Promise.all(
      bodies.map(([path, , body]) => system().call('POST', path, body)),
    );
    const refusals = answers.map(({ status, headers, body }, n) => ({
      asked: bodies[n],
      status,
      type: headers.get('content-type'),
      code: body['code'],
      fields: (body['errors'] as { path: string }[] | undefined)?.map(({ path }) => path),
    }));
    expect(refusals).toEqual(
      bodies.map((asked) => ({
        asked,
        status: 400,
        type: 'application/problem+json',
        code: 'invalid_request',
        fields: expect.arrayContaining([asked[1]]),
      })),
    );
    expect(await recorded(system())).toEqual(before);
    expect(await system().call('GET', '/v1/accounts/nobody/balance')).toMatchObject({
      status: 404,
    });
  });

  it('a bad one in a batch is named, and the others are charged', async () => {
    const account_id = 'half-good';
    await grant(system(), account_id, { request_id: 'pack', credits: '100' });
    const good = { account_id, request_id: 'r-1', operation: 'text.generation' };
    const requests = [
      good,
      { ...good, request_id: 'r-2', quantity: 0 },
      null,
      { ...good, price: 0 },
    ];
    const { body } = await system().call('POST', '/v1/usage/batch', { requests });
    expect(body).toMatchObject({
      accepted: 1,
      invalid: [
        { index: 1, errors: [{ path: 'quantity' }] },
        { index: 2, errors: [{ path: '' }] },
        { index: 3, errors: [{ path: 'price' }] },
      ],
    });
    const next = await charge(system(), { ...good, request_id: 'r-3' });
    expect(next.body).toMatchObject({ balance_after: { available: '98' } });
  });

  it('a bad question is refused by the name of the parameter', async () => {
    for (const [path, parameter] of badQuestions) {
      const { status, body } = await system().call('GET', path);
      const errors = body['errors'] as { path: string }[] | undefined;
      expect({ path, status, fields: errors?.map((error) => error.path) }).toEqual({
        path,
        status: 400,
        fields: [parameter],
      });
    }
  });

  it('without a key that may, nothing happens', async () => {
    const before = await recorded(system());
    const usage = { account_id: 'nobody', request_id: 'r-1', operation: 'text.generation' };
    for (const authorization of ['', 'Bearer wrong', 'Basic e2e']) {
      const answer = await system().call('POST', '/v1/usage', usage, { authorization });
      expect(answer).toMatchObject({ status: 401, body: { code: expect.any(String) } });
    }
    expect(await recorded(system())).toEqual(before);
  });

  it('the process that met all this still runs, and all agree', async () => {
    expect(system().pid).toBe(pid);
    expect(await system().call('GET', '/healthz')).toMatchObject({ status: 200 });
    await expectSound(system());
  });
});
