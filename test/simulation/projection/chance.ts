/** What is left to chance in one place of a history: its own numbers, all from one seed. */
export interface Chance {
  /** A whole number from `min` to `max`. */
  pick(min: number, max: number): number;
  /** True so many times out of a hundred; never once all is calm. */
  strikes(fault: string, per_cent: number): boolean;
  oneOf<T>(choices: readonly T[]): T;
}

/** Of a history: which faults were met, and whether there are to be any more. */
export interface Weather {
  calm: boolean;
  readonly met: (what: string) => void;
}

/** Numbers by mulberry32: the same for the same seed. */
export function newChance(seed: number, weather: Weather): Chance {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const pick = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    pick,
    strikes(fault, per_cent) {
      if (next() * 100 >= per_cent || weather.calm) return false;
      weather.met(fault);
      return true;
    },
    oneOf: (choices) => choices[pick(0, choices.length - 1)]!,
  };
}
