import { InvariantBroken } from '#libs/contracts';

/**
 * Positions of a log that counts its events up by one from 1. As text they are the port's positions;
 * 0 stands before the first one.
 */
export const positionText = (position: number): string => String(position);

/** The number again, or undefined when no such log has written this. */
export const positionOf = (text: string): number | undefined =>
  /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;

function requirePosition(text: string): number {
  const position = positionOf(text);
  if (position !== undefined) return position;
  throw new InvariantBroken(`${JSON.stringify(text)} is not a position of this event store`);
}

/** The number after which a reader begins. Throws InvariantBroken for what is no position. */
export const startAfter = (after: string | null): number =>
  after === null ? 0 : requirePosition(after);

/** The number of the last event that a reader of a log up to `head` gets. Throws as `startAfter`. */
export const endAt = (until: string | undefined, head: number): number =>
  until === undefined ? head : Math.min(requirePosition(until), head);

/** A reader that is ahead of the log has read what the log has lost since. */
export function requireWithinLog(position: number, head: number): void {
  if (position <= head) return;
  throw new InvariantBroken(
    `the log ends at ${head}, before position ${position}: it lost its tail`,
  );
}
