import type { Pool } from 'pg';
import { balance, charge, eventually, explained, grant } from '../e2e/asking.js';
import { expectAgreement } from '../e2e/suite.js';
import { startSystem, type StandaloneSystem } from '../e2e/system.js';

const TEST_MS = 240_000;
const NO_WAIT = { prefer: 'respond-async' };

let system: StandaloneSystem;
beforeAll(async () => {
  system = await startSystem('embedded');
}, TEST_MS);
afterAll(() => system.end(), TEST_MS);

/** Lets the broker's clock be an hour ahead for as long as the work takes. */
async function whileAhead(pool: Pool, work: () => Promise<unknown>): Promise<void> {
  const { rows } = await pool.query<{ sql: string }>(
    `select pg_get_functiondef('bus.append'::regproc) as sql`,
  );
  const { sql } = rows[0]!;
  const ahead = sql.replace('clock_timestamp()', `clock_timestamp() + interval '1 hour'`);
  expect(ahead).not.toBe(sql);
  await pool.query(ahead);
  await work();
  await pool.query(sql);
}

const usage = (request_id: string) => ({
  account_id: 'alice',
  request_id,
  operation: 'text.generation',
});
const setAside = (...options: string[]) => system.cli('set-aside', '--json', ...options);

it(
  'F25: what the broker stamped an hour ahead is set aside, survives kills, and is charged by its redrive alone',
  async () => {
    await grant(system, 'alice', { request_id: 'pack', credits: '10' });
    const engines = await system.openEngines();
    await whileAhead(engines.pool, () => system.call('POST', '/v1/usage', usage('ahead'), NO_WAIT));
    await engines.close();
    const behind = charge(system, usage('behind'));

    await eventually('its partition waits', async () =>
      system.log.some((line) => line.includes('more than 10 minutes ahead')),
    );
    const waiting = (await setAside()).lines('ahead');
    expect(waiting).toMatchObject([{ key: 'dev/alice' }]);
    const { topic, partition, offset } = waiting[0]!['source'] as Record<string, string>;
    expect((await setAside('--id', `${topic}/${partition}/${offset}`)).ending).toBe(0);
    expect((await behind).status).toBe(200);

    await system.kill9();
    await system.start();
    await expectAgreement(system);
    expect((await balance(system, 'alice', 1))['available']).toBe('9');

    const redrive = await system.cli('redrive', '--reason', 'stamped_in_future');
    expect(redrive.stdout).toBe('1 dead letter published again\n');
    await explained(system, 'alice', 'ahead');
    await expectAgreement(system);
    expect((await balance(system, 'alice', 2))['available']).toBe('8');
  },
  TEST_MS,
);
