import type pg from 'pg';
import type { Instant } from '#libs/contracts';
import { testReadModels, type TestReadModels } from '../../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { balance, balanceAsOf, projectedRevision, waitForRevision } from './balance.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
});
afterEach(() => models.drop());

const HOUR = 3_600_000;
const at = (text: string) => text as Instant;

describe('the balance', () => {
  it('shows the open grants in burn order, and what is due and not yet recorded', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100, { request_id: 'pack' });
    recorder.grant(alice, 10, { request_id: 'promo', expires_at: '2026-01-31T13:00:00Z' });
    recorder.use(alice, 'text.generation', 4);
    await models.project();

    const view = await balance(pool, 'acme', 'alice', at('2026-01-31T12:59:59.999Z'));
    expect(view).toMatchObject({
      available: 106n,
      reserved: 0n,
      grants: [
        { grant_id: 'promo', remaining: 6n },
        { grant_id: 'pack', remaining: 100n },
      ],
      due: [],
      revision: 2,
      recorded_at: '2026-01-31T12:00:00.000Z',
    });
    expect(await balance(pool, 'acme', 'alice', at('2026-01-31T13:00:00.000Z'))).toMatchObject({
      available: 106n,
      due: [{ what: 'expire', due_at: '2026-01-31T13:00:00.000Z', grant: { grant_id: 'promo' } }],
    });
  });

  it('is folded from the entries when its state is of another version', async () => {
    recorder.grant(recorder.account('alice'), 100);
    await models.project();
    await pool.query("update read.accounts set state_version = 0, state = ''");
    expect(await balance(pool, 'acme', 'alice', recorder.now)).toMatchObject({ available: 100n });
  });

  it('I16: is unknown outside its tenant', async () => {
    recorder.grant(recorder.account('alice'), 100);
    await models.project();
    expect(await balance(pool, 'other', 'alice', recorder.now)).toBeUndefined();
    expect(await balanceAsOf(pool, 'other', 'alice', { revision: 0 })).toBeUndefined();
    expect(await balanceAsOf(pool, 'other', 'alice', { instant: recorder.now })).toBeUndefined();
    expect(await projectedRevision(pool, 'other', 'alice')).toBe(-1);
  });
});

describe('the balance as of', () => {
  beforeEach(async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100, { expires_at: '2026-01-31T15:30:00Z' }); // 12:00, revision 0
    recorder.wait(HOUR);
    recorder.use(alice, 'image.generation'); // 13:00
    recorder.use(alice, 'image.generation'); // 13:00
    recorder.wait(HOUR);
    recorder.use(alice, 'text.generation', 5); // 14:00, revision 3
    await models.project();
  });

  it.each([
    [-1, { available: 0n, revision: -1, grants: [], recorded_at: null }],
    [0, { available: 100n, revision: 0, recorded_at: '2026-01-31T12:00:00.000Z' }],
    [1, { available: 80n, revision: 1, grants: [{ remaining: 80n }] }],
    [3, { available: 55n, revision: 3 }],
    [9, { available: 55n, revision: 3 }],
  ])('revision %i', async (revision, expected) => {
    expect(await balanceAsOf(pool, 'acme', 'alice', { revision })).toMatchObject(expected);
  });

  it.each([
    ['2026-01-31T11:59:59.999Z', { available: 0n, revision: -1 }],
    ['2026-01-31T12:00:00.000Z', { available: 100n, revision: 0 }],
    ['2026-01-31T12:59:59.999Z', { available: 100n, revision: 0 }],
    ['2026-01-31T13:00:00.000Z', { available: 60n, revision: 2 }],
    ['2026-01-31T14:30:00.000Z', { available: 55n, revision: 3, due: [] }],
    ['2026-01-31T15:30:00.000Z', { available: 55n, revision: 3, due: [{ what: 'expire' }] }],
  ])('instant %s', async (instant, expected) => {
    const view = await balanceAsOf(pool, 'acme', 'alice', { instant: at(instant) });
    expect(view).toMatchObject(expected);
  });
});

describe('a long history', () => {
  it('is folded from the last snapshot, and without snapshots from its beginning', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 1_000_000);
    for (let i = 1; i < 2_500; i += 1) {
      recorder.use(alice, 'text.generation', 2);
      recorder.wait(1_000);
    }
    await models.project();
    const expected = { available: 1_000_000n - 2n * 1_700n, revision: 1_700 };
    const instant = at(
      (JSON.parse(alice.recorded[1_700]!.data) as { recorded_at: string }).recorded_at,
    );

    expect(await balanceAsOf(pool, 'acme', 'alice', { instant })).toMatchObject(expected);
    await pool.query('update read.entries set key = null, data = $1 where revision < 1000', ['{}']);
    expect(await balanceAsOf(pool, 'acme', 'alice', { revision: 1_700 })).toMatchObject(expected);
    await expect(balanceAsOf(pool, 'acme', 'alice', { revision: 999 })).resolves.toMatchObject({
      available: 1_000_000n - 2n * 999n,
    });
    await pool.query('update read.snapshots set state_version = 0');
    await expect(balanceAsOf(pool, 'acme', 'alice', { revision: 1_700 })).rejects.toThrow(
      'cannot be read',
    );
  });

  it('with a hole is loud', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    for (let i = 0; i < 5; i += 1) recorder.use(alice, 'text.generation');
    await models.project();
    await pool.query('delete from read.entries where revision = 3');
    await expect(balanceAsOf(pool, 'acme', 'alice', { revision: 4 })).rejects.toThrow('no entry 3');
  });
});

describe('waiting for a revision', () => {
  it('ends when it is projected', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    const waiting = waitForRevision(pool, 'acme', 'alice', 0);
    await models.project();
    expect(await waiting).toBe(true);
    expect(await waitForRevision(pool, 'acme', 'alice', 0, { timeout_ms: 0 })).toBe(true);
  });

  it('ends without it when the time is up', async () => {
    expect(await waitForRevision(pool, 'acme', 'alice', 0, { timeout_ms: 30 })).toBe(false);
  });
});
