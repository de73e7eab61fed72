import { InvariantBroken } from '#libs/contracts';

/** A place in the server's log, as the server gave it: nothing but a record begins there. */
export interface Position {
  readonly commit: number;
  readonly prepare: number;
}

export const positionText = ({ commit, prepare }: Position): string => `${commit}/${prepare}`;

/** The position again, or undefined for text that no position has. */
export function positionOf(text: string): Position | undefined {
  const [, commit, prepare] = /^(\d{1,16})\/(\d{1,16})$/.exec(text) ?? [];
  const position = { commit: Number(commit), prepare: Number(prepare) };
  const isOne =
    Number.isSafeInteger(position.commit) &&
    Number.isSafeInteger(position.prepare) &&
    position.prepare <= position.commit;
  return isOne ? position : undefined;
}

/** Throws InvariantBroken for what is no position. */
export function requirePosition(text: string): Position {
  const position = positionOf(text);
  if (position !== undefined) return position;
  throw new InvariantBroken(`${JSON.stringify(text)} is not a position of this event store`);
}

/** Below 0 when `a` lies before `b`, 0 when they are the same. */
export const comparePositions = (a: Position, b: Position): number =>
  a.commit - b.commit || a.prepare - b.prepare;
