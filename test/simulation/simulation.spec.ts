import { jest } from '@jest/globals';
import fc from 'fast-check';
import { FAULTS } from './director.js';
import { histories } from './histories.js';

jest.setTimeout(60 * 60_000);

/** HISTORIES=2000 looks further; SEED, which a failure prints, runs the same ones again. */
const seed = process.env['SEED'];
const campaign = {
  numRuns: Number(process.env['HISTORIES'] ?? 30),
  endOnFailure: true,
  ...(seed !== undefined && { seed: Number(seed) }),
};

/** Met in every thirty histories, or the generators prove less than they say. */
const EVERYTHING = [
  ...FAULTS,
  'a request by a later price book',
  'a late append that is written',
  'an append that conflicts',
  'an append that comes too late to be written',
  'usage that waits for its prices',
  'a batch of several partitions',
  'a partition that is given back',
  'a writer that stops in time',
  'an answer 200',
  'an answer 402',
  'an answer 409',
  'an answer 422',
  'an original answered again',
  'a batch that is answered with decisions',
  'a caller that is told of no decision',
  'a caller that is told that nobody knows',
  'a caller that is turned away',
  'a caller whose gateway is killed',
];

it('decides every request once, in its order, whatever fails and whoever is killed', async () => {
  const seen = new Map<string, number>();
  await fc.assert(histories({ seen }), campaign);
  expect(EVERYTHING.filter((what) => !seen.has(what))).toEqual([]);
});

it('runs the same histories again from the same seed', async () => {
  const [first, second] = [new Map<string, number>(), new Map<string, number>()];
  for (const seen of [first, second])
    await fc.assert(histories({ seen }), { numRuns: 3, seed: 20_261 });
  expect(second).toEqual(first);
});
