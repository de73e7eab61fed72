import type pg from 'pg';
import {
  recordEverything,
  testReadModels,
  type TestReadModels,
} from '../../../../test/fixtures/read-models.js';
import { digest, firstDifference } from '../digest.js';
import { CheckpointMoved } from '../projection/projection.js';
import { migrateReadModels } from '../schema.js';

let models: TestReadModels;
let pool: pg.Pool;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool } = models);
});
afterEach(() => models.drop());

it('fills a table that is new from the events that are projected, as a rebuild would', async () => {
  const { recorder } = models;
  recordEverything(recorder);
  const carol = recorder.account('carol');
  const twice = ['image.generation', 'text.generation', 'image.generation'];
  const items = twice.map((operation) => ({ operation, quantity: 3 }));
  const about = { metadata: { occurred_at: 'a "text"', '\\': '{"type":"UsageRejected",' } };
  recorder.ask(carol, { type: 'UsageRequested', items, ...about });
  recorder.ask(carol, {
    type: 'UsageRequested',
    items: [{ operation: 'x', quantity: 1 }, ...items],
  });
  recorder.use(carol, 'text.generation', 2, { occurred_at: '2025-12-31T23:59:59.999Z' });
  recorder.use(carol, 'text.generation', 5, { occurred_at: '2025-12-31T00:00:00Z' });
  recorder.grant(carol, 5, { expires_at: '2026-01-01T00:00:00Z', kind: 'promo' });
  await models.project();
  const projected = await digest(pool);
  expect(projected.rejection_totals.rows).toBeGreaterThan(5);
  expect(projected.rejected_grants.rows).toBe(2);

  await pool.query(`
    alter table read.rejection_totals set schema public;
    alter table read.rejected_grants set schema public;
    delete from read.migration where name = 'rejections'`);
  await migrateReadModels(pool);

  await pool.query('alter schema public rename to projected');
  for (const table of ['rejection_totals', 'rejected_grants'] as const) {
    expect(await firstDifference(pool, table, 'projected', 'read')).toBeUndefined();
  }
  expect(await digest(pool)).toEqual(projected);
});

it('a projection that was left running writes nothing into tables of a newer program', async () => {
  const { recorder, projection } = models;
  recorder.grant(recorder.account('alice'), 100);
  await models.project();
  const before = await digest(pool);
  await pool.query(`insert into read.migration values (99, 'of tomorrow', '')`);
  recorder.use(recorder.account('alice'), 'image.generation', 9);
  await expect(models.project()).rejects.toThrow(CheckpointMoved);
  await expect(projection.loadCheckpoint()).rejects.toThrow(
    'schema read was migrated by another version of this program',
  );
  expect(await digest(pool)).toEqual(before);
});
