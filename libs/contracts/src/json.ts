import { z } from 'zod';
import { InvariantBroken } from './errors.js';

/**
 * The stored bytes of a value: JSON in the order in which the value was built, credits as decimal
 * strings. The value is built by one function per type, so equal values have equal bytes.
 */
export const encodeJson = (value: unknown): string => JSON.stringify(value, creditsAsText);

const creditsAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

/** What we wrote ourselves. Throws InvariantBroken when it cannot be read. */
export function decodeRecorded<T extends z.ZodType>(schema: T, data: string): z.output<T> {
  const result = schema.safeParse(parseRecorded(data));
  if (result.success) return result.data;
  throw new InvariantBroken(`cannot be read: ${z.prettifyError(result.error)}`);
}

/** Never a SyntaxError: a Kafka consumer would stop for good on one. */
function parseRecorded(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new InvariantBroken(`not JSON: ${(error as Error).message}`);
  }
}
