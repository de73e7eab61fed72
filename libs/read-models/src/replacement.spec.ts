import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import {
  allRows,
  recordEverything,
  testReadModels,
  type TestReadModels,
} from '../../../test/fixtures/read-models.js';
import type { Checkpoint } from './checkpoint.js';
import { lookUp } from './look-up.js';
import { createProjection, type Projection } from './projection/projection.js';
import { replaceSchema, type ReplacementOptions } from './replacement.js';
import { migrateReadModels } from './schema.js';

let models: TestReadModels;
let pool: pg.Pool;
let rebuild: Projection;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool } = models);
  recordEverything(models.recorder);
  await models.project();
  await migrateReadModels(pool, 'read_next');
  rebuild = createProjection(pool, { schema: 'read_next' });
  await rebuild.loadCheckpoint();
});
afterEach(() => models.drop());

const replace = (options: Partial<ReplacementOptions> = {}) =>
  replaceSchema(pool, {
    next: 'read_next',
    accept: 'equal',
    catch_up: async () => rebuild.apply(models.recorder.recorded),
    ...options,
  });

const schemas = async () => {
  const { rows } = await pool.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like 'read%' order by 1`,
  );
  return rows.map(({ name }) => name);
};

it('puts the rebuilt tables into place and keeps those before them', async () => {
  const before = await allRows(pool);
  const { replaced, differing, live, next } = await replace();
  expect({ replaced, differing }).toEqual({ replaced: true, differing: [] });
  expect(next).toEqual(live);
  expect(await schemas()).toEqual(['read', 'read_previous']);
  expect(await allRows(pool)).toEqual(before);
});

it('is asked to project up to the live checkpoint', async () => {
  const { event_id, position } = models.recorder.recorded.at(-1)!;
  const asked: (Checkpoint | null)[] = [];
  const catch_up = async (until: Checkpoint | null) => {
    asked.push(until);
    await rebuild.apply(models.recorder.recorded);
  };
  await replace({ catch_up });
  expect(asked).toEqual([{ event_id, position }]);
});

it('does not take a rebuild that stops short of it for equal', async () => {
  const catch_up = () => rebuild.apply(models.recorder.recorded.slice(0, -1));
  const { replaced, differing } = await replace({ catch_up });
  expect({ replaced, differing }).toEqual({
    replaced: false,
    differing: ['accounts', 'checkpoint', 'entries', 'usage_totals'],
  });
  expect(await schemas()).toEqual(['read', 'read_next']);
});

it('F14: follows a store that lost its tail, when told to', async () => {
  const kept = models.recorder.recorded.slice(0, -1);
  const replacement = await replace({ accept: 'any', catch_up: () => rebuild.apply(kept) });
  expect(replacement.replaced).toBe(true);
  expect(await models.projection.loadCheckpoint()).toMatchObject({
    event_id: kept.at(-1)!.event_id,
  });
});

it('keeps the live tables when the rebuilt ones differ, unless they are to be repaired', async () => {
  const right = await allRows(pool);
  await pool.query("update read.accounts set available = 1 where account_id = 'bob'");
  expect(await replace()).toMatchObject({ replaced: false, differing: ['accounts'] });
  expect(await schemas()).toEqual(['read', 'read_next']);

  expect(await replace({ catch_up: async () => {}, accept: 'any' })).toMatchObject({
    replaced: true,
    differing: ['accounts'],
  });
  expect(await allRows(pool)).toEqual(right);
});

const entriesOf = async (schema: string) => {
  const { rows } = await pool.query<{ entries: bigint }>(
    `select count(*) as entries from ${schema}.entries`,
  );
  return Number(rows[0]!.entries);
};

it('lets a projector that waits meanwhile go on in the new tables, and lose nothing', async () => {
  const { recorder, projection } = models;
  const projected = recorder.recorded.length;
  recorder.use(recorder.account('bob'), 'image.generation');

  let waiting: Promise<unknown> = Promise.resolve();
  const catch_up = async () => {
    await rebuild.apply(recorder.recorded.slice(0, projected));
    waiting = projection.apply(recorder.recorded.slice(projected));
    await waitsForLock('checkpoint');
  };
  expect(await replace({ catch_up })).toMatchObject({ replaced: true });
  await expect(waiting).resolves.toMatchObject({ events: 1 });
  expect(await entriesOf('read')).toBe(projected + 1);
  expect(await entriesOf('read_previous')).toBe(projected);

  recorder.use(recorder.account('bob'), 'image.generation');
  await projection.apply(recorder.recorded.slice(projected + 1));
  const { account_id, tenant_id, head } = recorder.account('bob');
  const key = `${tenant_id}/${account_id}` as Parameters<typeof lookUp>[1]['accounts'][0]['key'];
  const questions = { accounts: [{ key, tenant_id, account_id, head: -1 }], requests: [] };
  expect((await lookUp(pool, questions)).accounts[0]!.snapshot).toMatchObject({ head });
});

it('changes no name while a statement holds some of its tables', async () => {
  const reader = await pool.connect();
  await reader.query('begin; select from read.entries');
  let done = false;
  const replacing = replace().finally(() => (done = true));
  await waitsForLock('entries');
  expect({ done, schemas: await schemas() }).toEqual({
    done: false,
    schemas: ['read', 'read_next'],
  });
  // It wants a table that the replacement holds already, and still gets the old one.
  await reader.query('select from read.accounts');
  await reader.query('commit');
  reader.release();
  expect(await replacing).toMatchObject({ replaced: true });
});

/** Somebody waits to lock this table of the live schema. */
async function waitsForLock(table: string): Promise<void> {
  const sql = `select from pg_locks where not granted and relation = 'read.${table}'::regclass`;
  while ((await pool.query(sql)).rowCount === 0) await sleep(5);
}

it('can be done again and again', async () => {
  await replace();
  await migrateReadModels(pool, 'read_next');
  await rebuild.loadCheckpoint();
  expect(await replace()).toMatchObject({ replaced: true, differing: [] });
  expect(await schemas()).toEqual(['read', 'read_previous']);
});
