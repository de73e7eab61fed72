import type pg from 'pg';
import { encodeAccount } from '#libs/ledger';
import {
  allRows,
  testReadModels,
  type TestReadModels,
} from '../../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { createProjection, type Projection } from './projection.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
let projection: Projection;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder, projection } = models);
});
afterEach(() => models.drop());

describe('a batch of events', () => {
  it('becomes entries: the recorded bytes, found by revision', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100, { request_id: 'g1' });
    recorder.use(alice, 'image.generation', 2, { request_id: 'u1' });
    await models.project();

    const { entries } = await allRows(pool);
    expect(entries).toEqual(
      alice.recorded.map(({ data, revision, meta }) =>
        expect.objectContaining({
          tenant_id: 'acme',
          account_id: 'alice',
          revision,
          data,
          chain: `\\x${(JSON.parse(meta) as { chain: string }).chain}`,
        }),
      ),
    );
  });

  it('is taken at the ends of everything that a request may say', async () => {
    const alice = recorder.account('a'.repeat(128));
    const [first, last] = ['1970-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'];
    const most = { request_id: 'r'.repeat(128), occurred_at: first, effective_at: first };
    recorder.grant(alice, 10 ** 15, { ...most, expires_at: last, priority: 1_000 });
    recorder.grant(alice, 1, { effective_at: last });
    recorder.use(alice, 'text.generation', 10 ** 12, { occurred_at: first });
    await models.project();
    const { usage_totals, grants } = await allRows(pool);
    expect(usage_totals).toMatchObject([
      { period: '1970-01', day: '1970-01-01', quantity: 10 ** 12 },
    ]);
    expect(grants).toHaveLength(2);
  });

  it('becomes the balance and the folded state of each account', async () => {
    const [alice, bob] = [recorder.account('alice'), recorder.account('bob')];
    recorder.grant(alice, 100, { expires_at: '2026-02-10T00:00:00.000Z' });
    recorder.grant(bob, 7);
    recorder.use(alice, 'image.generation');
    await models.project();

    const { accounts } = await allRows(pool);
    expect(accounts).toEqual([
      expect.objectContaining({
        account_id: 'alice',
        available: 80,
        reserved: 0,
        revision: 1,
        chain: `\\x${alice.head.chain}`,
        state: encodeAccount(alice.account),
        next_due_at: '2026-02-10T00:00:00+00:00',
      }),
      expect.objectContaining({ account_id: 'bob', available: 7, revision: 0, next_due_at: null }),
    ]);
  });

  it('adds up usage by booked period, day of the usage, operation and price version', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 1_000);
    recorder.use(alice, 'text.generation', 3);
    recorder.use(alice, 'text.generation', 4);
    recorder.use(alice, 'text.generation', 5, { occurred_at: '2026-01-30T23:59:59.999Z' });
    await models.project();
    recorder.ask(alice, {
      type: 'UsageRequested',
      items: [
        { operation: 'text.generation', quantity: 1 },
        { operation: 'image.generation', quantity: 2 },
      ],
    });
    recorder.use(alice, 'video.generation', 1_000); // rejected
    await models.project();

    const total = (
      day: string,
      operation: string,
      lines: number,
      quantity: number,
      credits: number,
    ) => expect.objectContaining({ period: '2026-01', day, operation, lines, quantity, credits });
    const { usage_totals } = await allRows(pool);
    expect(usage_totals).toHaveLength(3);
    expect(usage_totals).toEqual(
      expect.arrayContaining([
        total('2026-01-30', 'text.generation', 1, 5, 5),
        total('2026-01-31', 'text.generation', 3, 8, 8),
        total('2026-01-31', 'image.generation', 1, 2, 40),
      ]),
    );
  });

  it('keeps grants by period, with what was paid', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 500, {
      request_id: 'g1',
      paid: { amount_minor: 4_900, currency: 'EUR' },
    });
    recorder.grant(alice, 10, { request_id: 'g2', kind: 'promo' });
    recorder.grant(alice, 10, { request_id: 'g3', expires_at: '2026-01-01T00:00:00Z' }); // rejected
    await models.project();

    const { grants } = await allRows(pool);
    expect(grants).toEqual([
      expect.objectContaining({
        grant_id: 'g1',
        revision: 0,
        period: '2026-01',
        kind: 'pack',
        credits: 500,
        paid_amount_minor: 4_900,
        paid_currency: 'EUR',
      }),
      expect.objectContaining({ grant_id: 'g2', kind: 'promo', paid_amount_minor: null }),
    ]);
  });

  it('keeps the key of decisions only: what fell due has no request of its own', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100, { expires_at: '2026-02-01T00:00:00.000Z' });
    recorder.wait(86_400_000);
    recorder.use(alice, 'text.generation');
    await models.project();

    const { rows } = await pool.query<{ type: string; keyed: boolean }>(
      `select data::json ->> 'type' as type, key is not null as keyed
       from read.entries order by revision`,
    );
    expect(rows).toEqual([
      { type: 'CreditsGranted', keyed: true },
      { type: 'CreditsExpired', keyed: false },
      { type: 'UsageRejected', keyed: true },
    ]);
  });

  it('moves the checkpoint to its last event, and counts', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    recorder.use(alice, 'text.generation');
    const last = recorder.recorded.at(-1)!;
    const checkpoint = { position: last.position, event_id: last.event_id };

    expect(await projection.apply(recorder.recorded)).toEqual({
      events: 2,
      accounts: 1,
      checkpoint,
      recorded_at: recorder.now,
    });
    expect(await projection.loadCheckpoint()).toEqual(checkpoint);
    expect((await allRows(pool)).checkpoint).toEqual([
      expect.objectContaining({
        ...checkpoint,
        events: 2,
        recorded_at: '2026-01-31T12:00:00+00:00',
      }),
    ]);
  });
});

describe('an account', () => {
  it('is the same whether its state was cached, evicted or loaded by a new process', async () => {
    const evicting = createProjection(pool, { cache_weight: 0 });
    await evicting.loadCheckpoint();
    const accounts = ['a', 'b', 'c'].map((id) => recorder.account(id));
    let projected = 0;
    const next = () => recorder.recorded.slice(projected, (projected = recorder.recorded.length));
    for (const account of accounts) recorder.grant(account, 50);
    await evicting.apply(next());
    for (const account of accounts) recorder.use(account, 'text.generation', 3);
    await evicting.apply(next());
    await projection.loadCheckpoint();
    for (const account of accounts) recorder.use(account, 'image.generation');
    await projection.apply(next());

    const { rows } = await pool.query<{ state: string }>(
      'select state from read.accounts order by account_id',
    );
    expect(rows).toEqual(accounts.map(({ account }) => ({ state: encodeAccount(account) })));
  });

  it('is folded from its entries when its state was stored by another version', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    recorder.use(alice, 'text.generation', 3);
    await models.project();
    await pool.query("update read.accounts set state_version = 0, state = 'what is this'");
    await projection.loadCheckpoint();
    recorder.use(alice, 'image.generation');
    await models.project();

    const { rows } = await pool.query('select state_version, state from read.accounts');
    expect(rows).toEqual([{ state_version: 1, state: encodeAccount(alice.account) }]);
  });
});

it('refuses a batch that is too large, and to work before it knows the checkpoint', async () => {
  const event = recorder.grant(recorder.account('alice'), 1)[0]!;
  expect(() => projection.apply(Array.from({ length: 4_001 }, () => event))).toThrow(
    'at most 4000',
  );
  await expect(createProjection(pool).apply([event])).rejects.toThrow('loadCheckpoint');
});
