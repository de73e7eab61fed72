import type { Answer } from '#apps/standalone';
import { balance, charge, explained, grant, highestRevision, statement } from './asking.js';
import { publish, usageMessage } from './bus.js';
import { describeSystem, expectSound } from './suite.js';

/** An answer without what tells a replay from the first time. */
const decisionOf = ({ status, body: { replayed: _, ...body } }: Answer) => ({ status, body });

describeSystem('a duplicate charge', (system) => {
  /** The entries of the statement that stem from a request. */
  const entriesOf = async (account_id: string, request_id: string, at_least: number) =>
    (await statement(system(), account_id, at_least)).filter(
      (entry) => entry.request_id === request_id,
    );

  it('one request_id 40 times at once: one charge, 40 equal answers', async () => {
    await grant(system(), 'at-once', { request_id: 'pack', credits: '1000' });
    const image = { account_id: 'at-once', request_id: 'img-1', operation: 'image.generation' };
    const answers = await Promise.all(Array.from({ length: 40 }, () => charge(system(), image)));

    const [first] = answers.map(decisionOf);
    expect(first).toMatchObject({ status: 200, body: { outcome: 'consumed', credits: '20' } });
    expect(answers.map(decisionOf)).toEqual(Array(40).fill(first));
    for (const { body, headers } of answers) {
      expect(headers.get('idempotent-replayed')).toBe(body['replayed'] ? 'true' : null);
    }
    const again = await charge(system(), image);
    expect(decisionOf(again)).toEqual(first);
    expect(again.body['replayed']).toBe(true);
    const revision = highestRevision(answers);
    expect(await entriesOf('at-once', 'img-1', revision)).toHaveLength(1);
    expect(await balance(system(), 'at-once', revision)).toMatchObject({ available: '980' });
  });

  it('after a stop, after kill -9, and when it was rejected: the original answer', async () => {
    await grant(system(), 'restarted', { request_id: 'pack', credits: '50' });
    const image = { account_id: 'restarted', request_id: 'img-1', operation: 'image.generation' };
    const video = { account_id: 'restarted', request_id: 'vid-1', operation: 'video.generation' };
    const charged = await charge(system(), image);
    const rejected = await charge(system(), video);
    expect([charged.status, rejected.status]).toEqual([200, 402]);

    const expectReplays = async () => {
      for (const [request, original] of [
        [image, charged],
        [video, rejected],
      ] as const) {
        const again = await charge(system(), request);
        expect(decisionOf(again)).toEqual(decisionOf(original));
        expect(again.body['replayed']).toBe(true);
      }
    };
    expect(await system().stop()).toBe(0);
    await system().start();
    await expectReplays();
    await system().kill9();
    await system().start();
    await grant(system(), 'restarted', { request_id: 'pack-2', credits: '500' });
    await expectReplays();
    const after = await charge(system(), { ...image, request_id: 'img-2' });
    expect(after.body).toMatchObject({ balance_after: { available: '510' }, replayed: false });
  });

  it('in one batch, in two batches and beside it: one charge', async () => {
    await grant(system(), 'batched', { request_id: 'pack', credits: '100' });
    const image = { account_id: 'batched', request_id: 'img-1', operation: 'image.generation' };
    const requests = Array.from({ length: 50 }, () => image);
    const answers = await Promise.all([
      system().call('POST', '/v1/usage/batch', { requests }),
      system().call('POST', '/v1/usage/batch', { requests }),
      charge(system(), image),
    ]);
    const batch = { accepted: 50, invalid: [] };
    expect(answers[0]).toMatchObject({ status: 202, body: batch });
    expect(answers[1]).toMatchObject({ status: 202, body: batch });
    expect(answers[2]).toMatchObject({ status: 200, body: { credits: '20' } });

    // Behind all of them, so that what they did is shown.
    const last = await charge(system(), { ...image, request_id: 'img-2' });
    expect(last.body).toMatchObject({ balance_after: { available: '60' }, revision: 2 });
  });

  it('straight on the bus, over HTTP and as a CloudEvent: one charge for each id', async () => {
    await grant(system(), 'on-the-bus', { request_id: 'pack', credits: '100' });
    const image = { account_id: 'on-the-bus', request_id: 'img-1', operation: 'image.generation' };
    await publish(system(), Array(5).fill(usageMessage(image)));
    await publish(system(), [usageMessage({ ...image, occurred_at: '2026-01-01T00:00:00.000Z' })]);
    const over_http = await charge(system(), image);
    expect(over_http).toMatchObject({ status: 200, body: { revision: 1, credits: '20' } });

    const event = {
      specversion: '1.0',
      id: '1',
      source: '/renderer',
      type: 'image.generation',
      subject: 'on-the-bus',
    };
    const events = await Promise.all(
      Array.from({ length: 10 }, () => system().call('POST', '/v1/events', event)),
    );
    expect(new Set(events.map(({ body }) => body['revision']))).toEqual(new Set([2]));
    expect(await balance(system(), 'on-the-bus', 2)).toMatchObject({ available: '60' });
  });

  it('with other content under the same id: a conflict, filed, and nothing is charged', async () => {
    await grant(system(), 'conflicting', { request_id: 'pack', credits: '500' });
    const image = { account_id: 'conflicting', request_id: 'img-1', operation: 'image.generation' };
    const { body } = await charge(system(), image);
    const conflict = await charge(system(), { ...image, operation: 'video.generation' });
    expect(conflict).toMatchObject({
      status: 409,
      body: {
        code: 'conflict',
        outcome: 'conflict',
        credits: '0',
        original_fingerprint: body['fingerprint'],
      },
    });
    const explanation = await explained(system(), 'conflicting', 'img-1');
    expect(explanation['decision']).toMatchObject({ credits: '20', revision: 1 });
    const after = await charge(system(), { ...image, request_id: 'img-2' });
    expect(after.body).toMatchObject({ balance_after: { available: '460' } });
  });

  it('bus, streams, read models and invoices agree', () => expectSound(system()));
});
