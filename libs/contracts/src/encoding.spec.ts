import fc from 'fast-check';
import { golden, goldenNames, goldenText } from '../../../test/contracts/golden.js';
import { deadLetterOf, decodeDeadLetter } from './dead-letters.js';
import {
  decodeAccountEvent,
  decodeDecision,
  decodePriceBookEvent,
  decodeRequest,
  encodeDecision,
  encodeEvent,
  encodeRequest,
  withTimeOf,
} from './encoding.js';
import {
  ContractViolation,
  InvariantBroken,
  WrittenByNewer,
  type DeadLetterReason,
} from './errors.js';
import type { LedgerEvent } from './events.js';
import { encodeJson } from './json.js';
import type { LedgerRequest, UsageRequested } from './requests.js';
import type { Instant } from './time.js';

const RECEIVED = '2026-04-01T00:00:00.000Z' as Instant;
const USAGE = goldenText('requests', 'UsageRequested.v1.operation');

/** The request as text, with `"quantity":2` written in another way, or more put before its end. */
const withQuantity = (json: string) => USAGE.replace('"quantity":2', `"quantity":${json}`);
const withMore = (json: string) => `${USAGE.slice(0, -1)},${json}}`;

function violation(text: string): ContractViolation {
  try {
    decodeRequest(text, RECEIVED);
  } catch (error) {
    if (error instanceof ContractViolation) return error;
    throw error;
  }
  throw new Error(`was accepted: ${text.slice(0, 200)}`);
}

function accepted(text: string): LedgerRequest | undefined {
  try {
    return decodeRequest(text, RECEIVED);
  } catch {
    return undefined;
  }
}

/** What every store can hold: no control character but line feeds, no lone surrogate, not too long. */
const STORABLE = /^(?:[^\p{Cc}\p{Cs}]|\n){1,2000}$/u;

describe('a message that is no request is', () => {
  const cases: [DeadLetterReason, string, string][] = [
    ['undecodable', 'nothing', ''],
    ['undecodable', 'no JSON', 'x'],
    ['undecodable', 'cut off', USAGE.slice(0, -1)],
    ['undecodable', 'two at once', USAGE + USAGE],
    ['undecodable', 'begun with a byte order mark', `\ufeff${USAGE}`],
    ['undecodable', 'JSON with a NUL', `{"a":\0`],
    ['undecodable', 'a number that is none', withQuantity('NaN')],
    ['undecodable', 'a number with a leading zero', withQuantity('01')],
    ['undecodable', 'never closed', '['.repeat(1_000_000)],
    ['invalid_request', 'null', 'null'],
    ['invalid_request', 'a number', '1e400'],
    ['invalid_request', 'text', '"x"'],
    ['invalid_request', 'a list', '[]'],
    ['invalid_request', 'an empty object', '{}'],
    ['invalid_request', 'of no type', USAGE.replace('UsageRequested', 'constructor')],
    ['invalid_request', 'of a type to come', USAGE.replace('UsageRequested', 'RefundRequested')],
    [
      'invalid_request',
      'of a schema that is no number',
      USAGE.replace('"schema":1', '"schema":"2"'),
    ],
    ['invalid_request', 'nested without end', '['.repeat(100_000) + ']'.repeat(100_000)],
    [
      'invalid_request',
      'nested without end in a field',
      withMore(`"metadata":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
    ],
    ['invalid_request', 'with a field called as half a pair', withMore('"\\ud800":1')],
    ['invalid_request', 'with a field called NUL', withMore('"\\u0000":1')],
    ['invalid_request', 'with a huge field name', withMore(`"${'x'.repeat(100_000)}":1`)],
    [
      'invalid_request',
      'with its type in its prototype',
      '{"__proto__":{"type":"UsageRequested"}}',
    ],
    ['invalid_request', 'with __proto__ in metadata', withMore('"metadata":{"__proto__":"x"}')],
    [
      'invalid_request',
      'with __proto__ written otherwise',
      withMore('"metadata":{"\\u005f_proto__":"x","constructor":"y"}'),
    ],
    ['unknown_schema', 'of the next schema', USAGE.replace('"schema":1', '"schema":2')],
    ['unknown_schema', 'of an old one', USAGE.replace('"schema":1', '"schema":0')],
    [
      'unknown_schema',
      'of the next schema, with what that has',
      withMore('"surprise":1').replace('"schema":1', '"schema":2'),
    ],
  ];

  it.each(cases)('%s: %s', (reason, _name, text) => {
    const error = violation(text);
    expect([error.reason, error.message]).toEqual([reason, expect.stringMatching(STORABLE)]);
  });

  it('and is filed whatever it holds: its dead letter can be stored', () => {
    const message = {
      topic: 'ledger.usage',
      partition: 0,
      offset: 0,
      key: null,
      headers: {},
      timestamp: '2026-03-10T12:00:00.000Z' as Instant,
    };
    const detail = `\0 \ud800 ${'x'.repeat(5_000)}`;
    const letter = deadLetterOf({ ...message, value: '{}' }, 'undecodable', detail);
    expect(letter.detail).toMatch(STORABLE);
    expect(decodeDeadLetter(encodeJson(letter))).toEqual(letter);
  });
});

describe('a number is what JSON says it is', () => {
  it.each([
    ['1e3', 1_000],
    ['1.0', 1],
    ['100E-2', 1],
    ['1000000000000', 10 ** 12],
  ])('quantity %s is %s', (json, quantity) => {
    const { items } = decodeRequest(withQuantity(json), RECEIVED) as UsageRequested;
    expect(items).toEqual([{ operation: 'image.generation', quantity }]);
  });

  it.each(['0', '-0', '-1', '0.5', '1e400', '-1e400', '1e-400', '9007199254740993', '"1"'])(
    'quantity %s is none',
    (json) => expect(violation(withQuantity(json)).message).toContain('→ at quantity'),
  );
});

describe('a request that does not say when it happened', () => {
  const { occurred_at: _, ...timeless } = golden('requests', 'UsageRequested.v1.operation');
  const text = `\n ${JSON.stringify(timeless)}`;

  it('happened when it was received', () => {
    expect(decodeRequest(text, RECEIVED).occurred_at).toBe(RECEIVED);
    expect(decodeRequest(USAGE, RECEIVED).occurred_at).toBe('2026-03-10T12:00:00.123Z');
  });

  it('happened then still when it is sent again', () => {
    const again = withTimeOf(text, RECEIVED);
    const later = '2026-05-01T00:00:00.000Z' as Instant;
    expect(decodeRequest(again, later)).toEqual(decodeRequest(text, RECEIVED));
    expect(withTimeOf(again, later)).toBe(again);
  });

  it.each([USAGE, 'x', '{}', '[{}]', withMore('"more":1'), withQuantity('0')])(
    'is none of these, which are sent again as they are: %#',
    (other) => expect(withTimeOf(other, RECEIVED)).toBe(other),
  );
});

it('of a key that comes twice the last one counts, for every reader alike', () => {
  const { items } = decodeRequest(withMore('"quantity":7'), RECEIVED) as UsageRequested;
  expect(items).toEqual([{ operation: 'image.generation', quantity: 7 }]);
  expect(violation(withMore('"quantity":0')).reason).toBe('invalid_request');
});

it('metadata may be called as what objects inherit', () => {
  const metadata = { constructor: 'a', toString: 'b', hasOwnProperty: 'c', '1': 'd' };
  const text = withMore(`"metadata":${JSON.stringify(metadata)}`);
  const request = decodeRequest(text, RECEIVED);
  expect(Object.entries(request.metadata!)).toEqual(Object.entries(metadata));
  expect(Object.getPrototypeOf(request.metadata)).toBe(Object.prototype);
});

describe('any text in metadata', () => {
  /** Lone surrogates, NUL, line separators, emoji: whatever JSON can carry. */
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const anything = fc.dictionary(text, text, { maxKeys: 4 });

  it('is either refused or kept as it is, in bytes that are valid UTF-8 and stay the same', () => {
    const seen = { kept: 0, refused: 0 };
    fc.assert(
      fc.property(anything, (metadata) => {
        const wire = withMore(`"metadata":${JSON.stringify(metadata)}`);
        const request = accepted(wire);
        seen[request ? 'kept' : 'refused'] += 1;
        if (!request) return STORABLE.test(violation(wire).message);
        expect(request.metadata).toEqual(metadata);
        const stored = encodeRequest(request as never);
        expect(stored).toMatch(/^[^\p{Cc}\p{Cs}]*$/u);
        expect(stored).not.toMatch(/\\u0000|\\ud[89a-f]/);
        expect(Buffer.from(stored, 'utf8').toString('utf8')).toBe(stored);
        expect(encodeRequest(decodeRequest(stored, RECEIVED) as never)).toBe(stored);
        return true;
      }),
      { numRuns: 300 },
    );
    expect(Math.min(seen.kept, seen.refused)).toBeGreaterThan(20);
  });
});

describe('compiled encoders', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  const metadata = fc.dictionary(text, text, { maxKeys: 4 });
  const credits = fc.bigInt({ min: -(10n ** 19n) + 1n, max: 10n ** 19n - 1n });

  it('write the bytes that JSON.stringify would, whatever an event holds', () => {
    for (const name of goldenNames('events')) {
      const decode = name.startsWith('PriceBook') ? decodePriceBookEvent : decodeAccountEvent;
      const event = decode(goldenText('events', name));
      fc.assert(
        fc.property(metadata, text, credits, (metadata, fingerprint, amount) => {
          const changed = { ...event, fingerprint, metadata, credits: amount } as LedgerEvent;
          const known = Object.keys(event);
          const kept = Object.fromEntries(
            Object.entries(changed).filter(([field]) => known.includes(field)),
          );
          expect(encodeEvent(kept as LedgerEvent)).toBe(encodeJson(kept));
        }),
        { numRuns: 50 },
      );
    }
  });

  it('write decisions so, too', () => {
    for (const name of goldenNames('decisions')) {
      const decision = decodeDecision(goldenText('decisions', name));
      expect(encodeDecision(decision)).toBe(encodeJson(decision));
    }
  });
});

describe('what we wrote ourselves', () => {
  const unreadable = ['', 'x', 'null', '[]', '{}', '{"type":"UsageRefunded"}', '{"__proto__":{}}'];

  it.each([
    ['an event', decodeAccountEvent],
    ['a decision', decodeDecision],
    ['a dead letter', decodeDeadLetter],
  ])('and cannot read as %s is a broken invariant, nothing that a reader may skip', (_, decode) => {
    for (const text of unreadable) expect(() => decode(text)).toThrow(InvariantBroken);
  });

  it('as a price book’s event is no account’s, and the other way round', () => {
    for (const name of goldenNames('events')) {
      const decoders = [decodeAccountEvent, decodePriceBookEvent];
      const [right, wrong] = name.startsWith('PriceBook') ? decoders.reverse() : decoders;
      expect(right!(goldenText('events', name))).toMatchObject({ type: name.split('.')[0] });
      expect(() => wrong!(goldenText('events', name))).toThrow(InvariantBroken);
    }
  });

  it('of another schema version is not guessed at', () => {
    const event = { ...golden('events', 'GrantActivated.v1'), schema: 2 };
    expect(() => decodeAccountEvent(JSON.stringify(event))).toThrow('schema');
  });

  it.each([
    ['another schema', { schema: 2 }],
    ['another type', { type: 'CreditsReserved' }],
    ['another field', { surprise: 1 }],
    ['another field within', { balance_after: { available: '1', reserved: '0', owed: '1' } }],
  ])('with %s is a newer version’s', (_what, differs) => {
    const event = { ...golden('events', 'GrantActivated.v1'), ...differs };
    expect(() => decodeAccountEvent(JSON.stringify(event))).toThrow(WrittenByNewer);
  });

  it.each([
    ['credits that are none', { credits: 'x' }],
    ['no schema', { schema: undefined, surprise: 1 }],
    ['a field too few', { source: undefined }],
  ])('with %s is damaged', (_what, differs) => {
    const event = { ...golden('events', 'GrantActivated.v1'), ...differs };
    const decode = () => decodeAccountEvent(JSON.stringify(event));
    expect(decode).toThrow(InvariantBroken);
    expect(decode).not.toThrow(WrittenByNewer);
  });
});
