import { UnanswerableQuestion } from './question.js';

/** Which part of a list: after a cursor (from the start without one), so many items. */
export interface PageRequest {
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; null at the end. */
  readonly next_cursor: string | null;
}

export const DEFAULT_PAGE = 50;
export const MAX_PAGE = 500;

/** Throws UnanswerableQuestion outside 1 to MAX_PAGE. */
export function limitOf({ limit = DEFAULT_PAGE }: PageRequest): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return limit;
  throw new UnanswerableQuestion('limit', `must be from 1 to ${MAX_PAGE}`);
}

/** A cursor is opaque to callers: they hand back what they got. */
export const cursorOf = (key: string | number): string =>
  Buffer.from(String(key)).toString('base64url');

/** What the cursor was made of; null without one. Throws UnanswerableQuestion for one that is not ours. */
export function keyOfCursor({ cursor }: PageRequest, shape: RegExp): string | null {
  if (cursor === undefined) return null;
  const key = Buffer.from(cursor, 'base64url').toString();
  if (shape.test(key) && cursorOf(key) === cursor) return key;
  throw new UnanswerableQuestion('cursor', 'is not one that was handed out');
}

export const NUMBER_KEY = /^\d{1,15}$/;

/** Takes one row more than the page has, to know whether there is a next one. */
export function pageOf<T>(
  rows: readonly T[],
  limit: number,
  keyOf: (item: T) => string | number,
): Page<T> {
  const items = rows.slice(0, limit);
  const next_cursor = rows.length > limit ? cursorOf(keyOf(items.at(-1)!)) : null;
  return { items, next_cursor };
}
