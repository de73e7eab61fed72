import { type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { readBy, type Read } from './field-errors.js';
import { invalidRequest } from './problem.js';

/**
 * Reads a body, path or query by its zod schema, or refuses it with every fault. Unlike Nest's own
 * pipe it takes nothing out first: a key `constructor` is refused or kept as the schema says, and
 * `__proto__` has been refused by the JSON parser.
 */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { schema, type }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    const read = type === 'query' ? readQuery(schema, value as Query) : readBy(schema, value);
    if ('errors' in read) throw invalidRequest(read.errors);
    return read.data;
  }
}

type Query = Readonly<Record<string, unknown>>;

/** A parameter that stands twice in a query arrives as a list, which no schema takes in these words. */
function readQuery<T extends z.ZodType>(schema: T, query: Query): Read<z.output<T>> {
  const twice = Object.keys(query).filter((name) => Array.isArray(query[name]));
  if (twice.length === 0) return readBy(schema, query);
  const once = twice.map((name) => [name, (query[name] as unknown[])[0]] as const);
  const read = readBy(schema, { ...query, ...Object.fromEntries(once) });
  const errors = 'errors' in read ? read.errors : [];
  const known = twice.filter((name) => !errors.some(({ path }) => path === name));
  const message = 'must be given only once';
  return { errors: [...errors, ...known.map((path) => ({ path, message }))] };
}
