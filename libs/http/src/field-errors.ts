import { z } from 'zod';
import type { FieldError } from './problem.js';

/** More than this many faults help nobody, and a body may hold thousands. */
const MAX_ERRORS = 50;

/** What zod found, one entry per field that is wrong, missing or unknown. `at` leads to the value. */
export function fieldErrors(
  issues: readonly z.core.$ZodIssue[],
  at: readonly PropertyKey[] = [],
): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    if (errors.length >= MAX_ERRORS) break;
    const path = [...at, ...issue.path];
    if (issue.code !== 'unrecognized_keys') {
      errors.push({ path: pathOf(path), message: messageOf(issue) });
      continue;
    }
    for (const key of issue.keys.slice(0, MAX_ERRORS - errors.length)) {
      errors.push({ path: pathOf([...path, key]), message: 'is not a known field' });
    }
  }
  return errors;
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return 'is required';
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

/** `['items', 0, 'quantity']` → `items[0].quantity`. */
export const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
