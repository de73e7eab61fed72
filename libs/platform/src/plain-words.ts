import type { z } from 'zod';

type Issue = Parameters<z.core.$ZodErrorMap>[0];

/**
 * Says what is wrong with a value in words for whoever wrote it: give it to a parse as `error`. A
 * schema's own message comes before it.
 */
export function plainWords(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${typeIn(issue.expected)}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : choiceOf(issue.values);
    case 'too_small':
      return tooSmall(issue.origin, issue.minimum, issue.inclusive ?? true);
    case 'too_big':
      return tooBig(issue.origin, issue.maximum, issue.inclusive ?? true);
    case 'unrecognized_keys':
      return 'is not a known field';
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'invalid_union':
    case 'not_multiple_of':
      return 'cannot be read';
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const typeIn = (expected: string): string => TYPES[expected] ?? 'of another type';

const choiceOf = (values: readonly unknown[]): string =>
  values.length === 1 ? `must be ${String(values[0])}` : `must be one of ${values.join(', ')}`;

function tooSmall(origin: string, least: number | bigint, inclusive: boolean): string {
  const counted = COUNTED[origin];
  if (!counted) return `must be ${inclusive ? 'at least' : 'more than'} ${least}`;
  return least === 1 ? 'must not be empty' : `must have at least ${least} ${counted}`;
}

function tooBig(origin: string, most: number | bigint, inclusive: boolean): string {
  const counted = COUNTED[origin];
  if (!counted) return `must be ${inclusive ? 'at most' : 'less than'} ${most}`;
  if (origin === 'string') return `must be at most ${most} ${counted}`;
  return `must have at most ${most} ${counted}`;
}

/** What the size of a value of this kind counts; a number has none. */
const COUNTED: Readonly<Record<string, string>> = {
  string: 'characters',
  array: 'entries',
  set: 'entries',
  map: 'entries',
};
