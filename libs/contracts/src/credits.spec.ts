import fc from 'fast-check';
import { Credits, CreditsInput, MAX_CREDITS } from './credits.js';
import { encodeJson } from './json.js';

/** As it comes out of JSON: the number is written by the caller, not by this program. */
const read = (json: string): bigint | undefined => CreditsInput.safeParse(JSON.parse(json)).data;

describe('an amount of a caller', () => {
  it.each([
    ['1', 1n],
    ['"1"', 1n],
    ['1.0', 1n],
    ['1e3', 1_000n],
    ['1E+3', 1_000n],
    ['100000e-2', 1_000n],
    ['"1000000000000000"', MAX_CREDITS],
    ['1000000000000000', MAX_CREDITS],
    ['1e15', MAX_CREDITS],
  ])('%s is %s credits', (json, credits) => expect(read(json)).toBe(credits));

  it.each([
    '0',
    '-0',
    '"0"',
    '"-0"',
    '-1',
    '"-1"',
    '"+1"',
    '0.5',
    '1.5',
    '"1.0"',
    '"1e3"',
    '"01"',
    '" 1"',
    '"1 "',
    '"1\\n"',
    '"0x10"',
    '"1_000"',
    '"1,000"',
    '"١"', // an Arabic digit
    '""',
    '1e400', // Infinity
    '-1e400',
    '1e-400', // 0
    '1000000000000001',
    '"1000000000000001"',
    '9007199254740993', // no safe integer: the caller did not mean what arrived
    '"99999999999999999999999999"',
    'null',
    'true',
    '[1]',
    '{}',
  ])('%s is refused', (json) => expect(read(json)).toBeUndefined());
});

describe('an amount as recorded', () => {
  it('is a decimal string, exact beyond what a number can hold', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 19n) + 1n, 10n ** 19n - 1n), (credits) => {
        const text = encodeJson({ credits });
        expect(text).toBe(`{"credits":"${credits}"}`);
        const { credits: wire } = JSON.parse(text) as { credits: string };
        expect(Credits.parse(wire)).toBe(credits);
        expect(Credits.encode(credits)).toBe(wire);
      }),
    );
  });

  it('has one form', () => {
    for (const wire of ['-0', '00', '+1', '1.0', '1e3', ' 1', '', '0x1', 1, 1n, null]) {
      expect({ wire, ok: Credits.safeParse(wire).success }).toEqual({ wire, ok: false });
    }
  });
});

it('no number ever stands for credits in what is stored', () => {
  expect(encodeJson([1n, { a: [2n] }, null, 'x', 3])).toBe('["1",{"a":["2"]},null,"x",3]');
});
