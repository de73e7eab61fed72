import { type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { plainWords } from '#libs/platform';
import { z } from 'zod';
import { readBy } from './field-errors.js';
import { invalidRequest } from './problem.js';

/**
 * Reads a body, path or query by its zod schema, or refuses it with every fault. Unlike Nest's own
 * pipe it takes nothing out first: a key `constructor` is refused or kept as the schema says, and
 * `__proto__` has been refused by the JSON parser.
 */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { schema, type }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    const read = readBy(schema, value, type === 'query' ? wordsForQuery : plainWords);
    if ('errors' in read) throw invalidRequest(read.errors);
    return read.data;
  }
}

/** A parameter that stands twice in a query arrives as a list. */
const wordsForQuery: z.core.$ZodErrorMap = (issue) =>
  issue.code === 'invalid_type' && Array.isArray(issue.input)
    ? 'must be given only once'
    : plainWords(issue);
