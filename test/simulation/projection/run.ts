import { memoryEventStore, newMemoryLog, type RecordedEvent } from '#libs/event-store';
import { createLogger, createMetrics, systemClock } from '#libs/platform';
import { ProjectionRun } from '#apps/projector';
import {
  createProjection,
  inOneView,
  migrateReadModels,
  projectedUpTo,
  READ_TABLES,
  replaceSchema,
  type ReadTable,
} from '#libs/read-models';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { appendTo } from '../../fixtures/recorded-store.js';
import { newChance, type Weather } from './chance.js';
import { recordHistory } from './events.js';
import { expectedRows, type Rows } from './expected.js';
import { faultyPool } from './faulty-pool.js';
import { faultyStore } from './faulty-store.js';

export interface Scenario {
  /** What chance decides, in each of its places. */
  readonly seed: number;
  readonly steps: number;
  /** How often, in per cent, each fault strikes where it can. */
  readonly pool_faults: number;
  readonly store_faults: number;
  readonly rebuilds: boolean;
}

/** Plants a defect between a projector and its pool. */
export type Damage = (pool: pg.Pool) => pg.Pool;

const PROJECTORS = 2;
const TIMES = {
  linger_ms: 1,
  stand_by_ms: 3,
  retry: { min_ms: 1, max_ms: 5 },
  silence_ms: 25,
};
const MAX_AT_ONCE = 6;
/** Between two appends: so that there is always something to project. */
const MAX_PAUSE_MS = 10;
/** Far more than it takes, on a busy machine as well. */
const PATIENCE_MS = 30_000;
const NEXT = 'read_next';

const metrics = createMetrics();
const logger = createLogger(
  'projector',
  'error',
  new Writable({ write: (_c, _e, done) => done() }),
);

/**
 * Two real projectors on one real Postgres while events are appended, faults strike and the tables are
 * rebuilt: what was wrong in any state that a reader could see.
 */
export async function run(
  pool: pg.Pool,
  scenario: Scenario,
  met: (what: string) => void,
  damage: Damage = (sound) => sound,
): Promise<string[]> {
  const weather: Weather = { calm: false, met };
  const chanceOf = (place: number) => newChance(scenario.seed + place * 7_919, weather);
  const chance = chanceOf(0);
  const events = recordHistory(chance, scenario.steps);
  const store = memoryEventStore(newMemoryLog());
  const wrong: string[] = [];
  await empty(pool);

  const runs = Array.from({ length: PROJECTORS }, (_, i) => {
    const faulty = faultyPool(pool, chanceOf(2 * i + 1), scenario.pool_faults);
    const faulty_store = faultyStore(store, chanceOf(2 * i + 2), scenario.store_faults);
    const ports = { store: faulty_store, pool: damage(faulty), logger, metrics };
    return new ProjectionRun({ ...ports, clock: systemClock }, TIMES);
  });
  let over = false;
  const observing = observe(pool, events, () => over).then((seen) => wrong.push(...seen));

  for (let at = 0; at < events.length;) {
    const next = events.slice(at, at + chance.pick(1, MAX_AT_ONCE));
    await appendTo(store, next);
    at += next.length;
    await sleep(chance.pick(0, MAX_PAUSE_MS));
    if (scenario.rebuilds && chance.pick(0, 7) === 0) {
      met('a rebuild');
      wrong.push(...(await rebuild(pool, events)));
    }
  }
  weather.calm = true;
  const until = performance.now() + PATIENCE_MS;
  const isBroken = () => runs.some(({ broken }) => broken !== undefined);
  while (!isBroken() && (await projectedUpTo(pool)).events < events.length) {
    if (performance.now() > until) break;
    await sleep(2);
  }
  over = true;
  await observing;
  await Promise.all(runs.map((one) => one.close()));
  for (const { broken } of runs) if (broken) wrong.push(`it stopped: ${broken.message}`);
  wrong.push(...differences(await readRows(pool), expectedRows(events)));
  return wrong;
}

/** What is wrong in what a reader sees, looked at again and again. */
async function observe(
  pool: pg.Pool,
  events: readonly RecordedEvent[],
  isOver: () => boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  let last = 0;
  while (!isOver()) {
    const rows = await readRows(pool);
    const place = rows.checkpoint[0]!['event_id'];
    const count = events.findIndex(({ event_id }) => event_id === place) + 1;
    if (count < last) wrong.push(`the checkpoint went back from ${last} to ${count}`);
    last = count;
    wrong.push(...differences(rows, expectedRows(events.slice(0, count))));
    await sleep(1);
  }
  return wrong;
}

const readRows = (pool: pg.Pool): Promise<Rows> =>
  inOneView(pool, async (client) => {
    const tables = {} as Record<ReadTable, Rows[ReadTable]>;
    for (const table of READ_TABLES) {
      const sql = `select * from read.${table}`;
      tables[table] = (await client.query<Rows[ReadTable][number]>(sql)).rows.map(plain);
    }
    return tables;
  });

const plain = (row: Rows[ReadTable][number]) =>
  'chain' in row ? { ...row, chain: (row['chain'] as Buffer).toString('hex') } : row;

function differences(seen: Rows, expected: Rows): string[] {
  const sorted = (rows: Rows[ReadTable]) => rows.map(textOf).toSorted();
  return READ_TABLES.flatMap((table) => {
    const [is, should] = [sorted(seen[table]), sorted(expected[table])];
    if (isDeepStrictEqual(is, should)) return [];
    const more = is.filter((row) => !should.includes(row)).slice(0, 2);
    const missing = should.filter((row) => !is.includes(row)).slice(0, 2);
    return [`${table} of ${is.length} rows: more ${more.join()}, missing ${missing.join()}`];
  });
}

/** Column by column, whatever their order. */
const textOf = (row: Rows[ReadTable][number]): string =>
  JSON.stringify(
    Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value),
  );

/** As the command does it, beside the projectors. */
async function rebuild(pool: pg.Pool, events: readonly RecordedEvent[]): Promise<string[]> {
  await pool.query(`drop schema if exists ${NEXT} cascade`);
  await migrateReadModels(pool, NEXT);
  const projection = createProjection(pool, { schema: NEXT });
  await projection.loadCheckpoint();
  const { replaced, differing } = await replaceSchema(pool, {
    next: NEXT,
    accept: 'equal',
    catch_up: async (until) => {
      const count = events.findIndex(({ event_id }) => event_id === until?.event_id) + 1;
      await projection.apply(events.slice(0, count));
    },
  });
  return replaced ? [] : [`a rebuild differs in ${differing.join()}`];
}

async function empty(pool: pg.Pool): Promise<void> {
  const tables = READ_TABLES.filter((table) => table !== 'checkpoint');
  await pool.query(
    `truncate ${tables.map((table) => `read.${table}`).join()};
     update read.checkpoint
     set position = null, event_id = null, recorded_at = null, events = 0`,
  );
}
