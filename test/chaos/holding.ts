import { setTimeout as delay } from 'node:timers/promises';
import { createPool } from '#libs/platform';
import { eventually } from '../e2e/asking.js';
import type { SeparateSystem } from '../e2e/separate.js';

/** Lets go of what is held. */
export type Release = () => Promise<void>;

/** Look-ups that one writer has under way at most. */
const LANES = 2;
const ON_ITS_WAY_MS = 1_000;

/** Holds the writers before they decide: resolves when look-ups of both wait for Postgres. */
export async function holdLookUps({ env }: SeparateSystem): Promise<Release> {
  const pool = createPool(env['POSTGRES_URL']!, { application_name: 'test', max_connections: 2 });
  const holder = await pool.connect();
  await holder.query('begin');
  await holder.query('lock table ops.parked_accounts in access exclusive mode');
  await eventually('both writers wait', async () => {
    const { rows } = await pool.query(
      `select from pg_stat_activity
       where application_name = 'ledger-writer' and wait_event_type = 'Lock'`,
    );
    return rows.length > LANES;
  });
  return async () => {
    await holder.query('rollback');
    holder.release();
    await pool.end();
  };
}

/** Holds the writers after they have decided: their appends are sent, and nobody takes them. */
export async function holdAppends({ event_store }: SeparateSystem): Promise<Release> {
  event_store.freeze();
  await delay(ON_ITS_WAY_MS);
  return async () => event_store.thaw();
}
