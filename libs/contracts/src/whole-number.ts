import { z } from 'zod';

const WHOLE = 'must be a whole number';

/** A whole number of a caller. One that is out of bounds is refused with the bound, named once. */
export const wholeNumber = (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
  z
    // A missing one is not refused for being no number.
    .number({ error: ({ input }) => (input === undefined ? undefined : WHOLE) })
    .min(least, { error: `must be at least ${least}`, abort: true })
    .max(most, { error: `must be at most ${most}`, abort: true })
    .int(WHOLE);
