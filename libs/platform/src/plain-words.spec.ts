import { z } from 'zod';
import { plainWords } from './plain-words.js';

const kind = z.enum(['pack', 'promo']);

it.each<[z.ZodType, unknown, string]>([
  [z.string(), 7, 'must be a string'],
  [z.string(), undefined, 'is required'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.number(), '1', 'must be a number'],
  [z.boolean(), 1, 'must be true or false'],
  [z.array(z.string()), {}, 'must be a list'],
  [z.strictObject({}), [], 'must be an object'],
  [z.record(z.string(), z.string()), 1, 'must be an object'],
  [z.bigint(), 1, 'must be of another type'],
  [kind, 'gift', 'must be one of pack, promo'],
  [kind, undefined, 'is required'],
  [z.literal('1.0'), '2', 'must be 1.0'],
  [z.string().max(3), 'four', 'must be at most 3 characters'],
  [z.string().min(1), '', 'must not be empty'],
  [z.string().min(2), 'x', 'must have at least 2 characters'],
  [z.array(z.string()).min(1), [], 'must not be empty'],
  [z.array(z.int()).max(1), [1, 2], 'must have at most 1 entries'],
  [z.int().max(5), 6, 'must be at most 5'],
  [z.int().positive(), 0, 'must be more than 0'],
  [z.strictObject({}), { a: 1 }, 'is not a known field'],
  [z.string().regex(/a/), 'b', 'cannot be read'],
  [z.string('must be a name'), 7, 'must be a name'],
])('%#', (schema, value, words) => {
  const { error } = schema.safeParse(value, { error: plainWords });
  expect(error?.issues.map(({ message }) => message)).toEqual([words]);
});
