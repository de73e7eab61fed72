import type pg from 'pg';

/**
 * Runs the work while holding a session lock of this number, or not at all when somebody else holds
 * it; true when it ran. The lock is gone with its connection, so a killed holder blocks nobody.
 */
export async function withAdvisoryLock(
  pool: pg.Pool,
  number: number,
  work: () => Promise<unknown>,
): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const sql = 'select pg_try_advisory_lock($1) as mine';
    const { rows } = await client.query<{ mine: boolean }>(sql, [number]);
    if (rows[0]?.mine !== true) return false;
    try {
      await work();
    } finally {
      await client.query('select pg_advisory_unlock($1)', [number]);
    }
    return true;
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    // A connection whose state is not known is closed, and the lock with it.
    client.release(broken);
  }
}
