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

it('tells of a query that a parameter stands there twice', () => {
  const metadata = { type: 'query', schema: z.strictObject({ a: z.string() }) };
  const twice = () => pipe.transform({ a: ['x', 'y'] }, metadata as never);
  expect(twice).toThrow('a: must be given only once');
});

it.each(['constructor', 'prototype', 'toString'])('takes no key %s out before it reads', (name) => {
  const value = JSON.parse(`{"${name}":"kept"}`) as unknown;
  expect(() => read(value, z.strictObject({}))).toThrow('is not a known field');
  const kept = read(value, z.record(z.string(), z.string()));
  expect(Object.entries(kept as object)).toEqual([[name, 'kept']]);
});
