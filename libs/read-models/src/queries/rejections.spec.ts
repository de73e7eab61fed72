import type pg from 'pg';
import { testReadModels, type TestReadModels } from '../../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { rejectedGrants, type RejectedGrantQuestion } from './rejected-grants.js';
import { rejectionSummary, type RejectionQuestion } from './summary.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
});
afterEach(() => models.drop());

describe('the summary of rejections', () => {
  const summary = async (question: RejectionQuestion) =>
    (await rejectionSummary(pool, 'acme', question))!.items;
  const useTogether = (account_id: string, ...operations: string[]) =>
    recorder.ask(recorder.account(account_id), {
      type: 'UsageRequested',
      items: operations.map((operation) => ({ operation, quantity: 2 })),
    });

  beforeEach(async () => {
    const [alice, bob] = [recorder.account('alice'), recorder.account('bob')];
    recorder.grant(alice, 10);
    recorder.use(alice, 'text.generation', 3); // consumed: in no sum
    // One request of three lines and two operations.
    useTogether('alice', 'image.generation', 'text.generation', 'image.generation');
    recorder.use(alice, 'text.generation', 9, { occurred_at: '2025-12-31T23:59:59.999Z' });
    recorder.use(bob, 'image.generation', 1);
    useTogether('bob', 'text.generation', 'teleport'); // one of them has no price
    recorder.use(bob, 'video.generation', 1_000_000_000_000); // 10^14: priced, and refused
    recorder.use(recorder.account('alice', 'other'), 'image.generation', 5);
    await models.project();
  });

  it('counts each request once, with what it would have cost', async () => {
    expect(await summary({ group_by: ['reason'] })).toEqual([
      {
        reason: 'insufficient_credits',
        requests: 4,
        lines: 6,
        quantity: 1_000_000_000_016n,
        credits: 100_000_000_000_111n,
      },
      { reason: 'unknown_operation', requests: 1, lines: 2, quantity: 4n, credits: 0n },
    ]);
    expect(await summary({ group_by: [] })).toMatchObject([{ requests: 5, lines: 8 }]);
  });

  it('counts a request at each of its operations', async () => {
    expect(await summary({ group_by: ['operation'], account_id: 'alice' })).toEqual([
      { operation: 'image.generation', requests: 1, lines: 2, quantity: 4n, credits: 80n },
      { operation: 'text.generation', requests: 2, lines: 2, quantity: 11n, credits: 11n },
    ]);
    expect(await summary({ group_by: ['reason', 'operation'], account_id: 'bob' })).toMatchObject([
      { reason: 'insufficient_credits', operation: 'image.generation', credits: 20n },
      { reason: 'insufficient_credits', operation: 'video.generation' },
      { reason: 'unknown_operation', operation: 'teleport', requests: 1, credits: 0n },
      { reason: 'unknown_operation', operation: 'text.generation', requests: 1, credits: 0n },
    ]);
  });

  it('divides by account, and at the border of a month', async () => {
    const january = { from: '2026-01-01', to: '2026-02-01', group_by: ['account'] } as const;
    expect(await summary(january)).toMatchObject([
      { account_id: 'alice', requests: 1, credits: 82n },
      { account_id: 'bob', requests: 3 },
    ]);
    expect(await summary({ group_by: ['period', 'day'], account_id: 'alice' })).toMatchObject([
      { period: '2025-12', day: '2025-12-31', credits: 9n },
      { period: '2026-01', day: '2026-01-31', credits: 82n },
    ]);
  });

  it('I16: is of one tenant, and of an account of it', async () => {
    const of = (account_id: string) =>
      rejectionSummary(pool, 'other', { account_id, group_by: [] });
    expect(await of('alice')).toMatchObject({ items: [{ credits: 100n }], revision: 0 });
    expect(await of('bob')).toBeUndefined();
  });
});

describe('the list of rejected grants', () => {
  const list = async (question: RejectedGrantQuestion = {}) =>
    (await rejectedGrants(pool, 'acme', question))!;
  const past = '2026-01-01T00:00:00Z';
  const paid = { amount_minor: 4_900, currency: 'EUR' };
  const refuse = (account_id: string, request_id: string, more: object = {}) =>
    recorder.grant(recorder.account(account_id), 50, { request_id, expires_at: past, ...more });

  beforeEach(async () => {
    recorder.grant(recorder.account('alice'), 7, { paid }); // granted: not on the list
    refuse('alice', 'g1', { paid });
    refuse('bob', 'g2', { paid: { amount_minor: 0, currency: 'CHF' } });
    refuse('alice', 'g3');
    refuse('alice', 'g4', { paid, occurred_at: '2025-12-31T23:59:59.999Z' });
    recorder.grant(recorder.account('carol', 'other'), 1, { expires_at: past, paid });
    await models.project();
  });
  const ids = ({ items }: { items: readonly { request_id: string }[] }) =>
    items.map(({ request_id }) => request_id);

  it('tells who paid what for which credits, and why they were refused', async () => {
    const { items, ...rest } = await list({ paid: true, account_id: 'alice' });
    expect(rest).toEqual({ next_cursor: null, revision: 3 });
    expect(items).toEqual([
      {
        account_id: 'alice',
        request_id: 'g1',
        reason: 'already_expired',
        kind: 'pack',
        asked_credits: 50n,
        paid,
        occurred_at: recorder.now,
        recorded_at: recorder.now,
        revision: 1,
      },
      expect.objectContaining({ request_id: 'g4', occurred_at: '2025-12-31T23:59:59.999Z' }),
    ]);
  });

  it('takes those that were paid for, by account and by day', async () => {
    expect(ids(await list())).toEqual(['g2', 'g3', 'g1', 'g4']);
    expect(ids(await list({ paid: true }))).toEqual(['g2', 'g1', 'g4']);
    expect(ids(await list({ paid: false }))).toEqual(['g3']);
    expect(ids(await list({ from: '2026-01-01' }))).toEqual(['g2', 'g3', 'g1']);
    expect(ids(await list({ to: '2026-01-01' }))).toEqual(['g4']);
    expect(await rejectedGrants(pool, 'acme', { account_id: 'carol' })).toBeUndefined();
  });

  it('goes page by page, and what comes meanwhile moves no page', async () => {
    const first = await list({ limit: 2 });
    recorder.wait(1_000);
    refuse('alice', 'g5');
    await models.project();
    const second = await list({ limit: 1, cursor: first.next_cursor! });
    const third = await list({ limit: 1, cursor: second.next_cursor! });
    expect([first, second, third].map(ids)).toEqual([['g2', 'g3'], ['g1'], ['g4']]);
    expect(third.next_cursor).toBeNull();
    expect(ids(await list({ limit: 1 }))).toEqual(['g5']);
  });

  it.each(['x', '99999999999999999/alice/1', '1/a b/1', '1/alice/'])(
    'takes no cursor that it did not hand out: %s',
    async (key) => {
      const cursor = Buffer.from(key).toString('base64url');
      await expect(list({ cursor })).rejects.toThrow('cursor is not one that was handed out');
    },
  );
});
