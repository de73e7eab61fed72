import fastJson from 'fast-json-stringify';
import { z } from 'zod';
import { InvariantBroken, WrittenByNewer } from './errors.js';

/**
 * The stored bytes of a value: JSON in the order in which the value was built, credits as decimal
 * strings. The value is built by one function per type, so equal values have equal bytes.
 */
export const encodeJson = (value: unknown): string => JSON.stringify(value, creditsAsText);

const creditsAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

/** Compiling takes as long as thousands of requests: a process that needs none of it does without. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/**
 * encodeJson for the values of one schema, compiled when it is first used: the same bytes in less time.
 * It writes what the schema names, in the schema's order.
 */
export function compiledEncoder<T extends z.ZodType>(schema: T): (value: z.output<T>) => string {
  const encoder = lazily(() => {
    const { $schema: _dialect, ...described } = z.toJSONSchema(schema, { io: 'input' });
    return fastJson(inOrder(described));
  });
  return (value) => encoder()(value);
}

/** Without `required`, whose fields fast-json-stringify would write first. */
const inOrder = (schema: object): fastJson.AnySchema =>
  JSON.parse(JSON.stringify(schema, (key, value) => (key === 'required' ? undefined : value)));

/** What we wrote ourselves. Throws InvariantBroken for what cannot be read, WrittenByNewer if that is why. */
export function decodeRecorded<T extends z.ZodType>(schema: T, data: string): z.output<T> {
  const json = parseRecorded(data);
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const what = z.prettifyError(result.error);
  if (isByNewer(json, result.error)) {
    throw new WrittenByNewer(`cannot be read, a newer version wrote it: ${what}`);
  }
  throw new InvariantBroken(`cannot be read: ${what}`);
}

/** It has a schema as all that is recorded, and a type, field or word that this version does not know. */
const isByNewer = (json: unknown, { issues }: z.ZodError): boolean =>
  typeof (json as { schema?: unknown } | null)?.schema === 'number' &&
  issues.some(({ code }) => BY_NEWER.includes(code));

const BY_NEWER: readonly string[] = ['invalid_union', 'invalid_value', 'unrecognized_keys'];

/** Never a SyntaxError: a Kafka consumer would stop for good on one. */
function parseRecorded(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new InvariantBroken(`not JSON: ${(error as Error).message}`);
  }
}
