import { z } from 'zod';

/** Whole credits: `bigint` in memory, decimal string on the wire. Never a float, never a `number`. */
export type Credits = bigint;

/** The largest single amount, so that a thousand grants still fit a Postgres bigint. */
export const MAX_CREDITS = 1_000_000_000_000_000n;
/** The same in a message. */
export const MAX_CREDITS_TEXT = '10^15';

const WIRE = /^(0|-?[1-9][0-9]{0,18})$/;

/** An amount as it is recorded: `"120"` on the wire, `120n` in memory. May be negative (a balance). */
export const Credits = z.codec(
  z.string().regex(WIRE, 'must be a whole number of credits as a decimal string'),
  z.bigint(),
  { decode: (text) => BigInt(text), encode: (credits) => credits.toString() },
);

const AMOUNT = `must be a whole number of credits from 1 to ${MAX_CREDITS_TEXT}, as a string or a safe integer`;

/** A positive amount as a caller may write it: a decimal string or a safe integer. */
export const CreditsInput = z
  .union([z.string().regex(/^[1-9][0-9]{0,15}$/, AMOUNT), z.int().positive()], AMOUNT)
  .transform((value) => BigInt(value))
  .refine((credits) => credits <= MAX_CREDITS, AMOUNT);
