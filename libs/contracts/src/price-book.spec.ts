import { readFileSync } from 'node:fs';
import { InvariantBroken } from './errors.js';
import { encodeJson } from './json.js';
import { parseShippedPriceBook, recordedPrices } from './price-book.js';

// Four levels up from dist/libs/contracts/src.
const shipped = readFileSync(
  new URL('../../../../infra/price-book/default.json', import.meta.url),
  'utf8',
);

const price = (credits: bigint, per = 1) => ({ credits, per, rounding: 'up' });

it('the shipped book is this one: other prices are another version', () => {
  expect(parseShippedPriceBook(shipped)).toEqual({
    version: '2026-01',
    effective_from: '1970-01-01T00:00:00.000Z',
    prices: {
      'image.generation': price(20n),
      'llm.input_tokens': price(1n, 1_000),
      'llm.output_tokens': price(3n, 1_000),
      'text.generation': price(1n),
      'video.generation': price(100n),
    },
  });
});

it('a book is recorded with the same bytes in whatever order it was written', () => {
  const prices = {
    b: { credits: 1n, fixed: 2n },
    a: { credits: 3n, per: 4 },
    '10': { credits: 5n },
  };
  const reversed = Object.fromEntries(Object.entries(prices).reverse());
  expect(encodeJson(recordedPrices(prices))).toBe(encodeJson(recordedPrices(reversed)));
  expect(encodeJson(recordedPrices({ b: prices.b, a: prices.a }))).toBe(
    '{"a":{"credits":"3","per":4,"rounding":"up"},' +
      '"b":{"credits":"1","per":1,"rounding":"up","fixed":"2"}}',
  );
});

describe('a shipped book that cannot be read stops the start', () => {
  const book = JSON.parse(shipped) as Record<string, unknown>;
  it.each([
    ['no JSON', 'x'],
    ['no prices', JSON.stringify({ ...book, prices: {} })],
    ['a price of nothing', JSON.stringify({ ...book, prices: { a: { credits: 0 } } })],
    ['a price below nothing', JSON.stringify({ ...book, prices: { a: { credits: '-1' } } })],
    ['no version', JSON.stringify({ ...book, version: undefined })],
    ['no time', JSON.stringify({ ...book, effective_from: 'always' })],
    ['a field that nobody knows', JSON.stringify({ ...book, currency: 'EUR' })],
  ])('%s', (_name, json) => expect(() => parseShippedPriceBook(json)).toThrow(InvariantBroken));
});
