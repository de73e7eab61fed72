import type pg from 'pg';
import type { Instant } from '#libs/contracts';
import { testReadModels, type TestReadModels } from '../../../../test/fixtures/read-models.js';
import type { TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { projectedUpTo } from '../checkpoint.js';
import { parkAccount, unparkAccount } from '../operations/parked-accounts.js';
import { accounts, dueAccounts, type DueAccount } from './accounts.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
});
afterEach(() => models.drop());

it('I16: lists the accounts of one tenant, in the order of their bytes, page by page', async () => {
  for (const id of ['b', 'a', 'B', '_', 'a:1']) recorder.grant(recorder.account(id), 5);
  recorder.grant(recorder.account('foreign', 'other'), 5);
  recorder.grant(recorder.account('foreign', 'acme2'), 5);
  await models.project();

  const first = await accounts(pool, 'acme', { limit: 3 });
  expect(first.items.map((account) => account.account_id)).toEqual(['B', '_', 'a']);
  expect(first.items[0]).toEqual({
    account_id: 'B',
    available: 5n,
    reserved: 0n,
    revision: 0,
    next_due_at: null,
  });
  const second = await accounts(pool, 'acme', { limit: 3, cursor: first.next_cursor! });
  expect(second.items.map((account) => account.account_id)).toEqual(['a:1', 'b']);
  expect(second.next_cursor).toBeNull();
});

it('finds the accounts with something due, the longest due first', async () => {
  const expiring = (id: string, expires_at: string, tenant_id?: string) =>
    recorder.grant(recorder.account(id, tenant_id), 5, { expires_at });
  expiring('late', '2026-03-01T00:00:00Z');
  expiring('b', '2026-02-02T00:00:00Z', 'other');
  expiring('a', '2026-02-01T00:00:00Z');
  recorder.grant(recorder.account('never'), 5);
  await models.project();

  const now = '2026-02-02T00:00:00.000Z' as Instant;
  const [a, b] = [
    { tenant_id: 'acme', account_id: 'a', next_due_at: '2026-02-01T00:00:00.000Z' },
    { tenant_id: 'other', account_id: 'b', next_due_at: '2026-02-02T00:00:00.000Z' },
  ] as [DueAccount, DueAccount];
  const due = (limit = 10, after?: DueAccount) => dueAccounts(pool, { before: now, after, limit });
  expect(await due()).toEqual([a, b]);
  expect(await due(1)).toEqual([a]);
  expect(await due(1, a)).toEqual([b]);
  expect(await due(1, b)).toEqual([]);
  const source = { topic: 'ledger.usage', partition: 0, offset: 7 };
  await parkAccount(pool, { tenant_id: 'acme', account_id: 'a', reason: 'broken', source });
  expect(await due()).toEqual([b]);
  await unparkAccount(pool, 'acme', 'a');

  recorder.now = now;
  recorder.ask(recorder.account('a'), { type: 'SweepRequested', request_id: 'sys:sweep:1' });
  await models.project();
  expect(await due()).toEqual([b]);
});

it('pages through accounts that fell due in the same instant', async () => {
  const expires_at = '2026-02-01T00:00:00Z';
  for (const [tenant_id, id] of [
    ['b', '1'],
    ['a', '2'],
    ['a', '1'],
    ['B', '3'],
  ] as const) {
    recorder.grant(recorder.account(id, tenant_id), 5, { expires_at });
  }
  await models.project();
  const found: string[] = [];
  const next = async (after?: DueAccount) => {
    const range = { before: '2026-02-02T00:00:00.000Z' as Instant, after, limit: 1 };
    return (await dueAccounts(pool, range))[0];
  };
  for (let one = await next(); one; one = await next(one)) {
    found.push(`${one.tenant_id}/${one.account_id}`);
  }
  expect(found).toEqual(['B/3', 'a/1', 'a/2', 'b/1']);
});

it('tells up to which event everything is projected', async () => {
  expect(await projectedUpTo(pool)).toEqual({ checkpoint: null, recorded_at: null, events: 0 });
  const [event] = recorder.grant(recorder.account('alice'), 5);
  await models.project();
  expect(await projectedUpTo(pool)).toEqual({
    checkpoint: { position: event!.position, event_id: event!.event_id },
    recorded_at: '2026-01-31T12:00:00.000Z',
    events: 1,
  });
});
