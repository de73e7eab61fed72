import { InvariantBroken } from '#libs/contracts';

/** Before the first event of a log whose positions count up by one from 1. */
export const BEGINNING = 0;

/** A position of such a log as text; the port's form. */
export const positionText = (position: number): string => String(position);

/** The number again, or undefined when no such log has written this. */
export const positionOf = (text: string): number | undefined =>
  /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;

/** The number of a position to read from or to. Throws InvariantBroken when it is none. */
export function requirePosition(text: string): number {
  const position = positionOf(text);
  if (position === undefined) {
    throw new InvariantBroken(`${JSON.stringify(text)} is not a position of this event store`);
  }
  return position;
}

/** A reader that is ahead of the log has read what the log has lost since. */
export function requireWithinLog(position: number, head: number): void {
  if (position <= head) return;
  throw new InvariantBroken(
    `the log ends at ${head}, before position ${position}: it lost its tail`,
  );
}
