/** What is left to chance in one place of a history: its own numbers, all from one seed. */
export interface Chance {
  /** A whole number from `min` to `max`. */
  pick(min: number, max: number): number;
  /** True so many times out of a hundred; never once all is calm. */
  strikes(fault: string, per_cent: number): boolean;
  oneOf<T>(choices: readonly [T, ...T[]]): T;
}

/** Of a history: which faults were met, and whether there are to be any more. */
export interface Weather {
  calm: boolean;
  readonly met: (what: string) => void;
}

/** Numbers by a linear congruential generator: the same for the same seed, as far as a test needs. */
export function newChance(seed: number, weather: Weather): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
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
