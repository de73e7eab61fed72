import { InstantInput, type Instant } from '#libs/contracts';
import { CouldNotRun } from '../exit-code.js';
import { rfc3339Of } from '../timestamp.js';

/** Up to where a stream is looked at: a revision, or a time. */
export type AsOf =
  | { readonly kind: 'revision'; readonly revision: number }
  | { readonly kind: 'instant'; readonly instant: Instant };

/** `12`, `2026-01-31` or `2026-01-31T12:00:00Z`. Throws CouldNotRun. */
export function parseAsOf(text: string): AsOf {
  if (/^\d{1,15}$/.test(text)) return { kind: 'revision', revision: Number(text) };
  const instant = InstantInput.safeParse(rfc3339Of(text));
  if (instant.success) return { kind: 'instant', instant: instant.data };
  throw new CouldNotRun(
    `--as-of ${text}: give a revision, or a time such as 2026-01-31 or 2026-01-31T12:00:00Z`,
  );
}

export const isAfter = (
  as_of: AsOf | undefined,
  { revision, recorded_at }: { readonly revision: number; readonly recorded_at: Instant },
): boolean => {
  if (as_of === undefined) return false;
  return as_of.kind === 'revision' ? revision > as_of.revision : recorded_at > as_of.instant;
};
