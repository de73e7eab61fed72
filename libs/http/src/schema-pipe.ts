import { type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { fieldErrors } from './field-errors.js';
import { invalidRequest } from './problem.js';

/**
 * Reads a body, path or query by its zod schema, or refuses it with every fault. Unlike Nest's own
 * pipe it takes nothing out first: a key `constructor` is refused or kept as the schema says, and
 * `__proto__` has been refused by the JSON parser.
 */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { schema }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    const read = schema.safeParse(value);
    if (read.success) return read.data;
    throw invalidRequest(fieldErrors(read.error.issues));
  }
}
