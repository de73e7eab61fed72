import fc from 'fast-check';
import type { Damage } from './damage.js';
import type { Odds } from './director.js';
import { run } from './run.js';
import { scenarios } from './scenario.js';

interface HistoriesOptions {
  /** Counts the faults and situations that were met. */
  readonly seen?: Map<string, number>;
  readonly damage?: Damage;
  readonly odds?: fc.Arbitrary<Odds>;
}

/** Histories, none of which may violate anything. */
export const histories = ({ seen = new Map(), damage, odds }: HistoriesOptions) =>
  fc.asyncProperty(scenarios(odds), fc.scheduler(), fc.gen(), async (scenario, scheduler, draw) => {
    const violations = await run(scenario, scheduler, draw, seen, damage);
    expect([...new Set(violations)].slice(0, 3)).toEqual([]);
  });
