import { once } from 'node:events';

import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { withAdvisoryLock } from './advisory-lock.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

describe('withAdvisoryLock', () => {
  it('runs one at a time and tells the others that they did not', async () => {
    let finish = () => {};
    let first: Promise<boolean> | undefined;
    // Two that ask at once may take the lock in either order, so the first must have begun.
    await new Promise<void>((begun) => {
      first = withAdvisoryLock(database.pool, 1, () => {
        begun();
        return new Promise<void>((resolve) => (finish = resolve));
      });
    });
    let ran = 0;
    const others = async () => withAdvisoryLock(database.pool, 1, async () => (ran += 1));
    expect(await others()).toBe(false);
    expect(ran).toBe(0);
    finish();
    expect(await first).toBe(true);
    expect(await others()).toBe(true);
  });

  it('lets the lock go when the work fails', async () => {
    const failing = withAdvisoryLock(database.pool, 2, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await withAdvisoryLock(database.pool, 2, async () => {})).toBe(true);
  });

  it('tells the work when its connection is lost, survives it, and rejects', async () => {
    let told = false;
    const losing = withAdvisoryLock(database.pool, 3, async (lost) => {
      await database.pool.query(
        'select pg_terminate_backend(pid) from pg_locks where objid = 3 and locktype = $1',
        ['advisory'],
      );
      // The loss may be known before the answer to the query that caused it.
      if (!lost.aborted) await once(lost, 'abort');
      told = true;
    });
    await expect(losing).rejects.toThrow('connection');
    expect(told).toBe(true);
    expect(await withAdvisoryLock(database.pool, 3, async () => {})).toBe(true);
  });
});
