import { z } from 'zod';

/**
 * A moment as ISO-8601 UTC with exactly milliseconds, `2026-01-31T23:59:59.999Z`. One fixed form, so
 * that comparing two instants is comparing two strings and the domain needs no `Date`.
 */
export const Instant = z
  .string()
  .regex(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/)
  .brand<'Instant'>();
export type Instant = z.infer<typeof Instant>;

const TIME = 'must be an RFC 3339 date and time from 1970 on, such as 2026-01-31T12:00:00Z';
const INSTANT_LENGTH = 24;
const EPOCH = '1970-01-01T00:00:00.000Z';

/**
 * Any RFC 3339 time of a caller, normalised to an Instant (finer fractions are cut). Refused outside of
 * the years 1970 to 9999 in UTC: later ones do not sort as text, and no usage is older; a year 0 would be
 * a day that Postgres does not have.
 */
export const InstantInput = z.iso
  .datetime({ offset: true, error: TIME })
  .transform((text) => (isInstant(text) ? text : instantOf(Date.parse(text))))
  .refine((instant) => instant.length === INSTANT_LENGTH && instant >= EPOCH, TIME);

/** Whether a date and time is in the one form already, as most are: of its length, and in UTC. */
const isInstant = (datetime: string): datetime is Instant =>
  datetime.length === INSTANT_LENGTH && datetime.endsWith('Z');

/** A UTC day of a caller, `2026-01-31`, of the same years. */
export const DayInput = z.iso
  // What is no day is not asked for its year: it would be told twice.
  .date({ error: 'must be a day such as 2026-01-31', abort: true })
  .refine((day) => day >= dayOf(EPOCH as Instant), 'must be a day from 1970 on');

/** A UTC month, `2026-01`. */
export const Period = z
  .string()
  .regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'must be a month such as 2026-01');
export type Period = z.infer<typeof Period>;

export const instantOf = (epoch_ms: number): Instant => new Date(epoch_ms).toISOString() as Instant;
export const epochMsOf = (instant: Instant): number => Date.parse(instant);
/** The later of two; the first when there is no other. */
export const laterOf = (instant: Instant, other: Instant | null | undefined): Instant =>
  other && other > instant ? other : instant;
export const periodOf = (instant: Instant): Period => instant.slice(0, 7);
export const dayOf = (instant: Instant): string => instant.slice(0, 10);

/** Of what the writer decides, measured by the broker's clock. */
export const MAX_OCCURRED_AT_AHEAD_MS = 5 * 60_000;
/** By how much the broker may have stamped a record ahead of the writer's clock, which waits otherwise. */
export const MAX_RECORD_AHEAD_MS = 10 * 60_000;
/** Of what a gateway takes: what was accepted is decided, though the broker's clock be a minute behind. */
export const MAX_ACCEPTED_AHEAD_MS = MAX_OCCURRED_AT_AHEAD_MS - 60_000;
