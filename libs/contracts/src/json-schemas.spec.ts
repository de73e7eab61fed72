import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { golden, goldenNames, type GoldenKind } from '../../../test/contracts/golden.js';
import { jsonSchemas } from './json-schemas.js';

// Four levels up from dist/libs/contracts/src.
const folder = new URL('../../../../docs/schemas/', import.meta.url);
const committed = Object.fromEntries(
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => [
      name.replace(/\.json$/, ''),
      JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as object,
    ]),
);

it('docs/schemas is what the contracts say; if not: npm run schemas', () => {
  expect(committed).toEqual(jsonSchemas());
});

const kinds: GoldenKind[] = ['requests', 'events', 'decisions', 'dead-letters'];
const examples = kinds.flatMap((kind) => goldenNames(kind).map((name) => [kind, name] as const));

const accepts = (name: string, value: unknown): boolean => {
  const schema = committed[name.split('.').slice(0, 2).join('.')];
  return z.fromJSONSchema(schema as never).safeParse(value).success;
};

/** Fields that are never a boolean; each schema has some of them. */
const MUST_BE_OTHER = ['request_id', 'caused_by', 'source', 'credits', 'occurred_at', 'reason'];

it.each(examples)(
  '%s: %s is valid by the committed schema, as it stands on the wire',
  (kind, name) => {
    const wire = golden(kind, name);
    expect(accepts(name, wire)).toBe(true);
    expect(accepts(name, { ...wire, surprise: 1 })).toBe(false);
    const fields = Object.keys(wire).filter((field) => MUST_BE_OTHER.includes(field));
    expect(fields.filter((field) => accepts(name, { ...wire, [field]: true }))).toEqual([]);
  },
);
