import { plainWords } from '#libs/platform';
import type { z } from 'zod';
import type { FieldError } from './problem.js';

/** More than this many faults help nobody, and a body may hold thousands. */
const MAX_ERRORS = 50;

export type Read<T> = { readonly data: T } | { readonly errors: FieldError[] };

/** What a schema makes of a value, or every field that is wrong, missing or unknown. */
export function readBy<T extends z.ZodType>(
  schema: T,
  value: unknown,
  words: z.core.$ZodErrorMap = plainWords,
): Read<z.output<T>> {
  const read = schema.safeParse(value, { error: words });
  return read.success ? { data: read.data } : { errors: fieldErrors(read.error.issues) };
}

function fieldErrors(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    if (errors.length >= MAX_ERRORS) break;
    if (issue.code !== 'unrecognized_keys') {
      errors.push({ path: pathOf(issue.path), message: messageOf(issue) });
      continue;
    }
    for (const key of issue.keys.slice(0, MAX_ERRORS - errors.length)) {
      errors.push({ path: pathOf([...issue.path, key]), message: issue.message });
    }
  }
  return errors;
}

const messageOf = (issue: z.core.$ZodIssue): string =>
  (issue.code === 'invalid_key' && issue.issues[0]?.message) || issue.message;

const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/;

/** `['prices', 'text.generation', 'tiers', 0, 'per']` → `prices["text.generation"].tiers[0].per`. */
export const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    const name = String(key);
    if (!PLAIN_KEY.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
