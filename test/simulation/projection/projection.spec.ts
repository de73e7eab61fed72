import { jest } from '@jest/globals';
import fc from 'fast-check';
import { testReadModels, type TestReadModels } from '../../fixtures/read-models.js';
import { STORE_FAULTS } from './faulty-store.js';
import { isWrite, POOL_FAULTS, type Statement } from './faulty-pool.js';
import { run, type Damage } from './run.js';

jest.setTimeout(60 * 60_000);

let models: TestReadModels;
beforeAll(async () => {
  models = await testReadModels();
});
afterAll(() => models.drop());

const scenarios = fc.record({
  seed: fc.nat(),
  steps: fc.integer({ min: 40, max: 140 }),
  pool_faults: fc.constantFrom(0, 10, 25, 50),
  store_faults: fc.constantFrom(0, 5, 15, 30),
  rebuilds: fc.boolean(),
});

const histories = (met: (what: string) => void, damage?: Damage) =>
  fc.asyncProperty(scenarios, async (scenario) => {
    const violations = await run(models.pool, scenario, met, damage);
    expect([...new Set(violations)].slice(0, 3)).toEqual([]);
  });

/** As in the simulation of the writers; fewer, since these wait for a real server. */
const seed = process.env['SEED'];
const campaign = {
  numRuns: Number(process.env['HISTORIES'] ?? 20),
  endOnFailure: true,
  ...(seed !== undefined && { seed: Number(seed) }),
};

/** Met in every twenty histories, or the faults prove less than they say. */
const EVERYTHING = [...POOL_FAULTS, ...STORE_FAULTS, 'a rebuild'];

it('shows the fold of the events up to the checkpoint at every moment, whatever fails', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    histories((what) => void seen.set(what, (seen.get(what) ?? 0) + 1)),
    campaign,
  );
  expect(EVERYTHING.filter((what) => !seen.has(what))).toEqual([]);
});

describe('finds a planted defect:', () => {
  /** Every statement that writes goes through this. */
  const writing =
    (write: (statement: Statement, query: Damaged) => Promise<unknown>): Damage =>
    (pool) =>
      new Proxy(pool, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (name !== 'query') return value;
          const query = value as Damaged;
          return (...of: [Statement]) => (isWrite(of[0]) ? write(of[0], query) : query(...of));
        },
      });
  type Damaged = (statement: Statement) => Promise<unknown>;
  const changed = ({ text, values }: Statement, from: string | RegExp, to: string): Statement => {
    expect(text).toMatch(from);
    return { text: text.replace(from, to), values: values! };
  };

  const cases: Record<string, Damage> = {
    'a checkpoint that moves from wherever it stands': writing((statement, query) =>
      query(
        changed(
          statement,
          /and c.position is not distinct from (\S+) and c.event_id is not distinct from (\S+)/,
          'and ($1, $2) is not distinct from ($1, $2)',
        ),
      ),
    ),
    'rows that are written before their checkpoint': writing(async (statement, query) => {
      const rows_only = changed(
        statement,
        /update \S+ c\s+set [^]*?returning true/,
        'select true where ($1::text, $2::uuid, $3::timestamptz, $4::text, $5::uuid) is not null or true',
      );
      const checkpoint_only = changed(
        statement,
        /returning true\),[^]*$/,
        'returning true) select from moved where $6::int is not null',
      );
      await query(rows_only);
      return query({ ...checkpoint_only, values: statement.values!.slice(0, 7) });
    }),
  };

  it.each(Object.entries(cases))('%s', async (_, damage) => {
    const until_found = { numRuns: 200, endOnFailure: true };
    const { failed } = await fc.check(
      histories(() => {}, damage),
      until_found,
    );
    expect(failed).toBe(true);
  });
});
