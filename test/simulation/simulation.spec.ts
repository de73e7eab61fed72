import { AccountCache, PriceBookCache, type WriterPorts } from '#apps/ledger-writer';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { COMMAND_PRICES } from '../ledger/commands.js';
import type { Damage } from './damage.js';
import { FAULTS } from './director.js';
import { run } from './run.js';
import { scenarios } from './scenario.js';

/** Histories with these ports, none of which may violate anything. */
const histories = (seen: Map<string, number>, damage?: Damage) =>
  fc.asyncProperty(scenarios, fc.scheduler(), fc.gen(), async (scenario, scheduler, draw) => {
    const violations = await run(scenario, scheduler, draw, seen, damage);
    expect([...new Set(violations)].slice(0, 3)).toEqual([]);
  });

jest.setTimeout(15 * 60_000);

/** HISTORIES=2000 looks further; SEED, which a failure prints, runs the same ones again. */
const seed = process.env['SEED'];
const campaign = {
  numRuns: Number(process.env['HISTORIES'] ?? 100),
  endOnFailure: true,
  ...(seed !== undefined && { seed: Number(seed) }),
};

/** Met in every hundred histories, or the generators prove less than they say. */
const EVERYTHING = [
  ...FAULTS,
  'a request by a later price book',
  'a late append that is written',
  'an append that conflicts',
  'usage that waits for its prices',
  'a batch of several partitions',
  'a partition that is given back',
  'a commit that is refused',
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
  await fc.assert(histories(seen), campaign);
  expect([...seen.keys()]).toEqual(expect.arrayContaining(EVERYTHING));
});

it('runs the same histories again from the same seed', async () => {
  const [first, second] = [new Map<string, number>(), new Map<string, number>()];
  for (const seen of [first, second])
    await fc.assert(histories(seen), { numRuns: 3, seed: 20_261 });
  expect(second).toEqual(first);
});

/** A read at a time this far ahead knows all prices that a history asks for, or says so. */
const HOUR_MS = 3_600_000;

describe('finds a planted defect:', () => {
  const cases: Record<string, (ports: WriterPorts) => WriterPorts> = {
    'an append without an answer that is taken for written': (ports) => ({
      ...ports,
      store: {
        ...ports.store,
        async appendMany(appends) {
          const results = await ports.store.appendMany(appends);
          return results.map((result, i) => {
            const { expected_revision, events } = appends[i]!;
            const revision = expected_revision + events.length;
            return result.kind === 'unknown' ? { kind: 'appended', revision } : result;
          });
        },
      },
    }),
    'a look-up whose accounts are of a later moment than its index': (ports) => ({
      ...ports,
      read_side: {
        ...ports.read_side,
        async lookUp(questions) {
          const { decisions } = await ports.read_side.lookUp(questions);
          const { accounts } = await ports.read_side.lookUp(questions);
          return { accounts, decisions };
        },
      },
    }),
    'an account that stays in the cache while it is decided on': (ports) => ({
      ...ports,
      cache: new (class extends AccountCache {
        override take(key: Parameters<AccountCache['take']>[0]) {
          const known = super.take(key);
          if (known) this.put(known);
          return known;
        }
      })(3),
    }),
    'price books that are read once and never again': (ports) => {
      const read_at_ms = ports.clock() + HOUR_MS;
      const price_books = new PriceBookCache(ports.store, COMMAND_PRICES, () => read_at_ms);
      return { ...ports, price_books };
    },
    'usage that does not wait for its prices': (ports) => ({
      ...ports,
      price_books: new PriceBookCache(ports.store, COMMAND_PRICES, () => ports.clock() + HOUR_MS),
    }),
    'a request that comes again and is not answered': (ports) => ({
      ...ports,
      bus: {
        publish: (topic, messages) =>
          ports.bus.publish(
            topic,
            messages.filter(({ value }) => !String(value).includes('"replayed":true')),
          ),
      },
    }),
    'a publish that fails and is not done again': (ports) => ({
      ...ports,
      bus: { publish: (topic, messages) => ports.bus.publish(topic, messages).catch(() => {}) },
    }),
  };

  it.each(Object.entries(cases))('%s', async (_, damage) => {
    const until_found = { numRuns: 1_000, endOnFailure: true };
    const { failed } = await fc.check(histories(new Map(), { writer: damage }), until_found);
    expect(failed).toBe(true);
  });
});
