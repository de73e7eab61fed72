import { setTimeout as sleep } from 'node:timers/promises';
import { gathered } from './gathered.js';

/** Batches that come at once, one after the other, and a pause where a number says so. */
async function* source(...steps: readonly (readonly string[] | number)[]) {
  for (const step of steps) {
    if (typeof step === 'number') await sleep(step);
    else yield step;
  }
}

const collect = async (batches: AsyncIterable<readonly string[]>, linger_ms = 200) => {
  const collected: (readonly string[])[] = [];
  for await (const batch of gathered(batches, { max_batch: 4, linger_ms })) collected.push(batch);
  return collected;
};

it('joins small batches that follow closely, and loses none', async () => {
  expect(await collect(source(['a'], ['b', 'c']))).toEqual([['a', 'b', 'c']]);
});

it('makes none larger than the most, and cuts none', async () => {
  const batches = source(['a'], ['b', 'c'], ['d', 'e', 'f'], ['g', 'h', 'i', 'j'], ['k']);
  expect(await collect(batches)).toEqual([
    ['a', 'b', 'c'],
    ['d', 'e', 'f'],
    ['g', 'h', 'i', 'j'],
    ['k'],
  ]);
  expect(await collect(source(['a', 'b', 'c', 'd', 'e'], ['f']))).toEqual([
    ['a', 'b', 'c', 'd', 'e'],
    ['f'],
  ]);
});

it('does not wait longer than it may', async () => {
  expect(await collect(source(['a'], 100, ['b']), 10)).toEqual([['a'], ['b']]);
});

it('does not wait when the batch is full', async () => {
  const batches = gathered(source(['a', 'b', 'c', 'd'], 400), {
    max_batch: 4,
    linger_ms: 100_000,
  });
  expect((await batches.next()).value).toEqual(['a', 'b', 'c', 'd']);
});

it('lets an error of the source out', async () => {
  async function* failing() {
    yield ['a'];
    await sleep(5);
    throw new Error('lost');
  }
  await expect(collect(failing())).rejects.toThrow('lost');
});

it('can be left while the source is still waiting', async () => {
  for await (const batch of gathered(source(['a', 'b', 'c', 'd'], 400), {
    max_batch: 4,
    linger_ms: 1,
  })) {
    expect(batch).toHaveLength(4);
    break;
  }
});
