import type pg from 'pg';
import { testReadModels, type TestReadModels } from '../../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { explain } from './explanation.js';
import { statement } from './statement.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
});
afterEach(() => models.drop());

describe('the statement', () => {
  it('lists every event once, newest first, page by page', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    for (let i = 0; i < 6; i += 1) recorder.use(alice, 'text.generation');
    recorder.grant(recorder.account('bob'), 1);
    await models.project();

    const pages: number[][] = [];
    let cursor: string | undefined;
    do {
      const page = (await statement(pool, 'acme', 'alice', { cursor, limit: 3 }))!;
      pages.push(page.items.map((entry) => entry.revision));
      cursor = page.next_cursor ?? undefined;
      recorder.use(alice, 'text.generation'); // does not move the pages that follow
      await models.project();
    } while (cursor !== undefined);
    expect(pages).toEqual([[6, 5, 4], [3, 2, 1], [0]]);
  });

  it('shows each event as it was recorded, with its chain', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    recorder.use(alice, 'image.generation', 2, { user_id: 'u-1', metadata: { job: '7' } });
    await models.project();
    const page = await statement(pool, 'acme', 'alice', { limit: 1 });
    expect(page).toMatchObject({
      revision: 1,
      items: [
        {
          revision: 1,
          chain: alice.head.chain,
          event: {
            type: 'UsageConsumed',
            user_id: 'u-1',
            metadata: { job: '7' },
            lines: [{ operation: 'image.generation', quantity: 2, credits: 40n }],
            balance_after: { available: 60n },
          },
        },
      ],
    });
  });

  it('with a hole is loud', async () => {
    const alice = recorder.account('alice');
    for (let i = 0; i < 6; i += 1) recorder.grant(alice, 1);
    await models.project();
    await pool.query('delete from read.entries where revision = 2');
    expect(await statement(pool, 'acme', 'alice', { limit: 2 })).toMatchObject({ revision: 5 });
    for (const limit of [3, 4, 50]) {
      await expect(statement(pool, 'acme', 'alice', { limit })).rejects.toThrow('are missing');
    }
  });

  it('I16: of another tenant is unknown', async () => {
    recorder.grant(recorder.account('alice'), 100);
    await models.project();
    expect(await statement(pool, 'other', 'alice')).toBeUndefined();
  });

  it.each([
    [{ limit: 0 }, 'limit'],
    [{ limit: 501 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ cursor: 'x' }, 'cursor'],
    [{ cursor: Buffer.from('1 or 1=1').toString('base64url') }, 'cursor'],
  ])('refuses %j', async (page, message) => {
    await expect(statement(pool, 'acme', 'alice', page)).rejects.toThrow(message);
  });
});

describe('the explanation of a request', () => {
  it('tells its decision, what it found, and what it recorded on the occasion', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 30, { request_id: 'promo', expires_at: '2026-02-01T00:00:00Z' });
    recorder.grant(alice, 50, { request_id: 'plan', effective_at: '2026-02-01T00:00:00Z' });
    recorder.use(alice, 'text.generation', 4, { request_id: 'before' });
    recorder.wait(86_400_000);
    recorder.use(alice, 'image.generation', 1, { request_id: 'why' });
    recorder.use(alice, 'image.generation', 1, { request_id: 'after' });
    await models.project();

    expect(await explain(pool, 'acme', 'alice', 'why')).toMatchObject({
      entry: { revision: 5, event: { type: 'UsageConsumed', request_id: 'why' } },
      decision: { outcome: 'consumed', credits: 20n, revision: 5, replayed: false },
      recorded_with: [
        { revision: 3, event: { type: 'GrantActivated', caused_by: 'why' } },
        { revision: 4, event: { type: 'CreditsExpired', caused_by: 'why', credits: 26n } },
      ],
      balance_before: { available: 50n, reserved: 0n },
    });
    expect(await explain(pool, 'acme', 'alice', 'after')).toMatchObject({
      recorded_with: [],
      balance_before: { available: 30n },
    });
    expect(await explain(pool, 'acme', 'alice', 'promo')).toMatchObject({
      entry: { revision: 0 },
      recorded_with: [],
      balance_before: { available: 0n, reserved: 0n },
    });
  });

  it('I16: is unknown to another account, another tenant, and for an id that was never used', async () => {
    recorder.grant(recorder.account('alice'), 100, { request_id: 'r' });
    recorder.grant(recorder.account('bob'), 100, { request_id: 'x' });
    await models.project();
    expect(await explain(pool, 'acme', 'bob', 'r')).toBeUndefined();
    expect(await explain(pool, 'other', 'alice', 'r')).toBeUndefined();
    expect(await explain(pool, 'acme', 'alice', 'never')).toBeUndefined();
  });
});
