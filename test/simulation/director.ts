import { jest } from '@jest/globals';
import fc from 'fast-check';
import { NOON } from '../ledger/requests.js';
import type { Scenario } from './scenario.js';

/** What may go wrong. Each happens in a run as often as that run's odds say, or never. */
export const FAULTS = [
  'append: not written, no answer',
  'append: written, no answer',
  'append: written later, no answer',
  'append: refused',
  'publish: nothing sent',
  'publish: sent, no answer',
  'publish: part of it sent, no answer',
  'publish: hangs',
  'commit: not done, no answer',
  'commit: done, no answer',
  'look-up: fails',
  'reading: fails',
  'writer: killed',
  'writer: stopped',
  'writer: stands still',
  'gateway: killed',
  'gateway: stopped',
  'partition: moved to another writer',
  'broker: its clock is ahead',
  'read side: restored from a backup',
  'read side: snapshots of another version',
] as const;
export type Fault = (typeof FAULTS)[number];

/** After this many faults a run must come to its end without any more. */
const MAX_FAULTS = 80;
/** And after so many of one kind without more of that. */
const MAX_OF_A_KIND = 12;
/** No run of this size takes nearly as many steps. */
const MAX_STEPS = 60_000;

export type Odds = Readonly<Record<Fault, number>>;

/** Two writers may differ by twice as much. */
const MAX_SKEW_S = 5;
/** How far the broker's clock goes ahead, now and then, beyond what is priced at once. */
const EXCURSIONS_S = [15, 25, 60, 240];
export const BEGIN_MS = Date.parse(NOON);

/** Decides what happens next in a run, and in which order: all of it follows from fast-check's seed. */
export interface Director {
  /** Simulated time, in epoch milliseconds. */
  now(): number;
  /** Resolves when it is this one's turn. Time passes with it, and timers run on. */
  readonly turn: (label: string) => Promise<void>;
  /** Whether this fault happens here and now. */
  strikes(fault: Fault): boolean;
  /** Whether one of these has happened in this run. */
  hasStruck(...faults: readonly Fault[]): boolean;
  /** A whole number from `min` to `max`. */
  pick(min: number, max: number): number;
  /** By how much the clock of a writer is ahead of simulated time, in milliseconds. */
  skew(): number;
  /** The same of the broker's, for one stamp. */
  brokerSkew(): number;
  /** One of these, which must not be empty. */
  oneOf<T>(choices: readonly T[]): T;
  /** Whether the run has gone on for longer than any would. */
  isExhausted(): boolean;
  /** Something that the runs must meet at least once, all taken together. */
  met(what: string): void;
}

export function newDirector(
  scheduler: fc.Scheduler,
  draw: fc.GeneratorValue,
  { odds: odds_of_run, turn_ms, tick_ms }: Pick<Scenario, 'odds' | 'turn_ms' | 'tick_ms'>,
  seen: Map<string, number>,
): Director {
  let faults = 0;
  const struck = new Map<Fault, number>();
  let steps = 0;
  const met = (what: string) => void seen.set(what, (seen.get(what) ?? 0) + 1);
  const pick = (min: number, max: number) => draw(fc.integer, { min, max });
  const oneOf = <T>(choices: readonly T[]) => choices[pick(0, choices.length - 1)]!;
  const skew = () => pick(-MAX_SKEW_S, MAX_SKEW_S) * 1_000;
  const strikes = (fault: Fault) => {
    const before = struck.get(fault) ?? 0;
    if (faults >= MAX_FAULTS || before >= MAX_OF_A_KIND) return false;
    if (odds_of_run[fault] === 0 || pick(0, 99) >= odds_of_run[fault]) return false;
    faults += 1;
    struck.set(fault, before + 1);
    met(fault);
    return true;
  };
  return {
    now: () => BEGIN_MS + steps * turn_ms,
    async turn(label) {
      await scheduler.schedule(Promise.resolve(), label);
      steps += 1;
      jest.advanceTimersByTime(tick_ms);
    },
    strikes,
    hasStruck: (...faults) => faults.some((fault) => struck.has(fault)),
    pick,
    skew,
    brokerSkew() {
      if (!strikes('broker: its clock is ahead')) return skew();
      return oneOf(EXCURSIONS_S) * 1_000;
    },
    oneOf,
    isExhausted: () => steps > MAX_STEPS,
    met,
  };
}
