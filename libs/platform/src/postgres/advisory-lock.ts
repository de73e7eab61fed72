import type pg from 'pg';

/**
 * Runs the work while holding a session lock of this number, or not at all when somebody else holds
 * it; true when it ran. The lock is gone with its connection, so a killed holder blocks nobody. The
 * signal aborts when that happens while the work still runs; then this rejects when the work is done.
 */
export async function withAdvisoryLock(
  pool: pg.Pool,
  number: number,
  work: (lost: AbortSignal) => Promise<unknown>,
): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const sql = 'select pg_try_advisory_lock($1) as mine';
    const { rows } = await client.query<{ mine: boolean }>(sql, [number]);
    if (rows[0]?.mine !== true) return false;
    const lost = new AbortController();
    const onEnd = () => lost.abort(new Error('the connection that held the lock is lost'));
    client.once('end', onEnd);
    try {
      await work(lost.signal);
    } finally {
      client.off('end', onEnd);
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
