import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { until } from '../../contract-bench.js';
import { createAnnouncer } from './announcer.js';

/** A pool that answers when it is told to, and refuses everything once it has ended. */
function slowPool() {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  let ended = false;
  const query = async ({ name }: { name: string }) => {
    if (ended) throw new Error('Cannot use a pool after calling end on the pool');
    asked.push(name);
    await new Promise<void>((resolve) => answers.push(resolve));
    return { rows: [{ count: 2 }] };
  };
  return {
    pool: { query } as unknown as pg.Pool,
    asked,
    answer: () => answers.splice(0).forEach((resolve) => resolve()),
    end: () => (ended = true),
  };
}

/** An announcer over such a pool that has something to tell. */
function announcing() {
  const { pool, ...rest } = slowPool();
  const errors: unknown[] = [];
  const announcer = createAnnouncer(
    pool,
    'me',
    () => true,
    (error) => errors.push(error),
  );
  announcer.announce('t');
  return { announcer, errors, ...rest };
}

it('tells in two steps, and is closed only after both', async () => {
  const { announcer, asked, answer, end, errors } = announcing();
  await until(() => asked.length === 1);
  const closing = announcer.close().then(end);
  answer(); // how many listen
  await until(() => asked.length === 2);
  answer();
  await closing;
  expect(asked).toEqual(['bus-listeners', 'bus-announce']);
  expect(errors).toEqual([]);
});

it('begins nothing after it was closed', async () => {
  const { announcer, asked, end, errors } = announcing();
  await announcer.close().then(end);
  await sleep(30);
  expect(asked).toEqual([]);
  expect(errors).toEqual([]);
});
