import { z } from 'zod';
import { Problem } from './problem.js';
import { SchemaPipe } from './schema-pipe.js';

const pipe = new SchemaPipe();
const read = (value: unknown, schema?: unknown) =>
  pipe.transform(value, { type: 'body', schema } as Parameters<SchemaPipe['transform']>[1]);

it('reads by the schema', () => {
  expect(read({ a: ' x ' }, z.strictObject({ a: z.string().trim() }))).toEqual({ a: 'x' });
});

it('lets through what has no schema', () => {
  expect(read('x')).toBe('x');
});

it('refuses with every fault', () => {
  const schema = z.strictObject({ a: z.string() });
  let thrown: unknown;
  try {
    read({ b: 1 }, schema);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Problem);
  expect((thrown as Problem).details).toMatchObject({
    status: 400,
    errors: [
      { path: 'a', message: 'is required' },
      { path: 'b', message: 'is not a known field' },
    ],
  });
});

describe('a parameter that stands in a query twice', () => {
  const schema = z.strictObject({
    a: z.string(),
    own_words: z
      .union([z.iso.date('must be a day'), z.literal('x')], 'must be a day or x')
      .optional(),
    choice: z.enum(['true', 'false']).optional(),
  });
  it.each<[Record<string, unknown>, string[]]>([
    [{ a: ['x', 'y'] }, ['a must be given only once']],
    [{ a: 'x', own_words: ['x', 'x'] }, ['own_words must be given only once']],
    [{ a: 'x', choice: ['true', 'true'] }, ['choice must be given only once']],
    [{ a: 'x', other: ['x', 'x'] }, ['other is not a known field']],
    [{ choice: ['true', 'x'] }, ['a is required', 'choice must be given only once']],
  ])('%j', (query, faults) => {
    let thrown: unknown;
    try {
      pipe.transform(query, { type: 'query', schema });
    } catch (error) {
      thrown = error;
    }
    const errors = (thrown as Problem).details.errors!;
    expect(errors.map(({ path, message }) => `${path} ${message}`)).toEqual(faults);
  });
});

it.each(['constructor', 'prototype', 'toString'])('takes no key %s out before it reads', (name) => {
  const value = JSON.parse(`{"${name}":"kept"}`) as unknown;
  expect(() => read(value, z.strictObject({}))).toThrow('is not a known field');
  const kept = read(value, z.record(z.string(), z.string()));
  expect(Object.entries(kept as object)).toEqual([[name, 'kept']]);
});
