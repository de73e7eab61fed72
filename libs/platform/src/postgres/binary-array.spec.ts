import fc from 'fast-check';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import * as arrays from './binary-array.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

/** What Postgres makes of the parameter, element by element as text. */
async function received(type: string, parameter: Buffer): Promise<(string | null)[]> {
  const { rows } = await database.pool.query<{ element: string | null }>(
    `select u.element::text as element from unnest($1::${type}[]) with ordinality u(element, i) order by i`,
    [parameter],
  );
  return rows.map((row) => row.element);
}

const nullable = <T>(element: fc.Arbitrary<T>) =>
  fc.array(fc.option(element, { nil: null }), { maxLength: 40 });

async function accepts<T>(
  type: string,
  element: fc.Arbitrary<T>,
  encode: (elements: readonly (T | null)[]) => Buffer,
  textOf: (element: T) => string,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(nullable(element), async (elements) => {
      const expected = elements.map((value) => (value === null ? null : textOf(value)));
      expect(await received(type, encode(elements))).toEqual(expected);
    }),
    { numRuns: 40 },
  );
}

const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', ''));
const bytes = fc.uint8Array({ maxLength: 50 });

describe('Postgres receives the elements that were sent', () => {
  it('text', () => accepts('text', text, arrays.textArray, String));
  it('int2', () =>
    accepts('int2', fc.integer({ min: -32768, max: 32767 }), arrays.int2Array, String));
  it('int4', () => accepts('int4', fc.integer(), arrays.int4Array, String));
  it('int8 from numbers', () => accepts('int8', fc.maxSafeInteger(), arrays.int8Array, String));
  it('int8 from bigints', () =>
    accepts('int8', fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), arrays.int8Array, String));
  it('uuid', () => accepts('uuid', fc.uuid(), arrays.uuidArray, String));
  it('bytea', () =>
    accepts(
      'bytea',
      bytes,
      arrays.byteaArray,
      (value) => `\\x${Buffer.from(value).toString('hex')}`,
    ));
  it('bytea from hexadecimal text', () =>
    accepts(
      'bytea',
      bytes.map((value) => Buffer.from(value).toString('hex')),
      arrays.hexArray,
      (hex) => `\\x${hex}`,
    ));
});

it('takes the limits of int8 as numbers and as bigints', async () => {
  const limits = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, -1, 0, 2 ** 32, -(2 ** 32)];
  expect(await received('int8', arrays.int8Array(limits))).toEqual(limits.map(String));
  expect(await received('int8', arrays.int8Array([2n ** 63n - 1n, -(2n ** 63n)]))).toEqual([
    '9223372036854775807',
    '-9223372036854775808',
  ]);
});

it('takes a uuid as its 16 bytes', async () => {
  const uuid = '0190a5b0-1c2d-8abc-9def-0123456789ab';
  const parameter = arrays.uuidArray([Buffer.from(uuid.replaceAll('-', ''), 'hex'), uuid]);
  expect(await received('uuid', parameter)).toEqual([uuid, uuid]);
});

it.each<[string, () => Buffer]>([
  ['an int2 of 2^15', () => arrays.int2Array([2 ** 15])],
  ['an int4 of 2^31', () => arrays.int4Array([2 ** 31])],
  ['an int4 of 1.5', () => arrays.int4Array([1.5])],
  ['an int8 of an unsafe number', () => arrays.int8Array([2 ** 53])],
  ['an int8 of 2^63', () => arrays.int8Array([2n ** 63n])],
  ['a uuid that is too short', () => arrays.uuidArray(['0190a5b0'])],
  ['a uuid that is not hex', () => arrays.uuidArray(['zz90a5b0-1c2d-8abc-9def-0123456789ab'])],
  ['a uuid of 15 bytes', () => arrays.uuidArray([Buffer.alloc(15)])],
])('refuses %s', (_what, encode) => {
  expect(encode).toThrow(/out of range|not a safe integer|not a uuid|15 bytes/);
});

it.each(['abc', 'xy', 'ab-cd0', 'a'.repeat(33)])('refuses %j as hexadecimal', (hex) => {
  expect(() => arrays.hexArray(['00', hex])).toThrow('not hexadecimal');
});
