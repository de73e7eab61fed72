import {
  decodeDeadLetter,
  deadLetterOf,
  encodeDeadLetter,
  fittingDeadLetter,
  MAX_DEAD_LETTER_BYTES,
  originalBytes,
} from './dead-letters.js';
import type { Instant } from './time.js';

const message = {
  topic: 'ledger.usage',
  partition: 3,
  offset: 41,
  timestamp: '2026-01-31T12:00:00.000Z' as Instant,
  key: 'acme/alice',
  value: '{"schema":99}' as string | Buffer | null,
  headers: { reply_to: 'gateway-1' },
};

const travel = (value: string | Buffer | null) =>
  decodeDeadLetter(
    encodeDeadLetter(deadLetterOf({ ...message, value }, 'unknown_schema', 'schema must be 1')),
  );

it('keeps coordinate, key, headers, time and reason of the message', () => {
  expect(travel(message.value)).toEqual({
    schema: 1,
    source: { topic: 'ledger.usage', partition: 3, offset: 41 },
    key: 'acme/alice',
    value: '{"schema":99}',
    encoding: 'utf8',
    headers: { reply_to: 'gateway-1' },
    reason: 'unknown_schema',
    detail: 'schema must be 1',
    timestamp: '2026-01-31T12:00:00.000Z',
  });
});

it.each([
  ['text', 'grüße', Buffer.from('grüße')],
  ['nothing at all', '', Buffer.alloc(0)],
  ['bytes that are not UTF-8', Buffer.from([0xff, 0x00, 0xfe]), Buffer.from([0xff, 0x00, 0xfe])],
  ['a message without a value', null, null],
])('gives the original bytes back: %s', (_name, value, bytes) => {
  expect(originalBytes(travel(value))).toEqual(bytes);
});

it('refuses what no writer of ours can have sent', () => {
  expect(() => decodeDeadLetter('{}')).toThrow('expected');
  expect(() => decodeDeadLetter('not JSON')).toThrow('JSON');
  const letter = deadLetterOf(message, 'wrong_key', '');
  expect(() => decodeDeadLetter(encodeDeadLetter({ ...letter, schema: 2 as 1 }))).toThrow('schema');
});

describe('F20: a letter that would outgrow the bus', () => {
  const MB = 1_000_000;
  it.each([
    ['quotes', { value: '"'.repeat(MB) }],
    ['control characters', { value: '\u0001'.repeat(200_000) }],
    ['bytes', { value: Buffer.alloc(MB, 0xff) }],
    ['a key', { key: '"'.repeat(MB), value: null }],
    ['a key of letters', { key: 'ä'.repeat(300_000), value: null }],
    ['headers', { headers: { a: '"'.repeat(MB) } }],
  ])('keeps its beginning, size and hash: %s', (_name, large) => {
    const whole = deadLetterOf({ ...message, ...large }, 'undecodable', 'not JSON');
    const letter = fittingDeadLetter(whole);
    const bytes = originalBytes(whole) ?? Buffer.alloc(0);
    expect(Buffer.byteLength(encodeDeadLetter(letter))).toBeLessThan(MAX_DEAD_LETTER_BYTES);
    expect(decodeDeadLetter(encodeDeadLetter(letter))).toEqual(letter);
    expect(letter).toMatchObject({ reason: 'too_large', source: whole.source, headers: {} });
    expect(letter.detail).toContain(`of ${bytes.length} bytes`);
    expect(letter.detail).toContain('undecodable: not JSON');
    expect(originalBytes(letter)).toEqual(bytes.subarray(0, 16_384));
  });

  it.each([
    ['a small one', '{}'],
    ['the largest request', 'ä'.repeat(256 * 1_024)],
    ['quotes that fit', '"'.repeat(400_000)],
  ])('is left whole when it fits: %s', (_name, value) => {
    const letter = deadLetterOf({ ...message, value }, 'unknown_schema', '');
    expect(fittingDeadLetter(letter)).toBe(letter);
  });
});
