import { golden, goldenNames } from '../../../test/contracts/golden.js';
import { decodeRequest } from './encoding.js';
import { ContractViolation } from './errors.js';
import type { Instant } from './time.js';

const RECEIVED = '2026-04-01T00:00:00.000Z' as Instant;

type Fields = Record<string, unknown>;

/** Why a request is refused; undefined when it is not. */
function refusal(name: string, changes: Fields): string | undefined {
  const wire = JSON.stringify({ ...golden('requests', name), ...changes });
  try {
    decodeRequest(wire, RECEIVED);
    return undefined;
  } catch (error) {
    if (!(error instanceof ContractViolation)) throw error;
    return `${error.reason} ${error.message}`;
  }
}

const bad_ids = ['', ' ', 'a b', 'a/b', 'a\n', 'ä', '.', '..', 'x'.repeat(129), 5, null, {}];
const bad_times = [
  '2026-03-10',
  '2026-03-10T12:00:00',
  '2026-02-29T12:00:00Z',
  '9999-12-31T23:59:59-00:01',
  1_773_144_000_000,
  null,
];
const bad_credits = [
  0,
  -1,
  1.5,
  '0',
  '01',
  '-1',
  '1.0',
  '1e3',
  ' 1',
  '',
  null,
  true,
  '1'.repeat(17),
];
const too_many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v']));

/** Field, what it must not be, and where the message points when not at the field itself. */
type Row = [field: string, values: unknown[], at?: string];

const every: Row[] = [
  ['tenant_id', [...bad_ids, undefined]],
  ['request_id', [...bad_ids, undefined]],
  ['occurred_at', bad_times],
  ['user_id', bad_ids],
  ['api_key_id', bad_ids],
  ['schema', ['1', true, null, undefined]],
  ['metadata', [too_many, [], 'x', null]],
  ['metadata', [{ k: 'x'.repeat(257) }, { k: 5 }, { k: null }, { k: {} }], 'metadata.k'],
  ['metadata', [{ '': 'x' }, { ['k'.repeat(65)]: 'x' }], 'metadata'],
  ['metadata', [{ k: '\0' }, { k: 'a\u001b[2J' }, { k: '\ud800' }, { k: 'x\udc00' }], 'metadata.k'],
  ['metadata', [{ 'a\0': 'x' }, { 'a\udfff': 'x' }], 'metadata'],
];

const account: Row[] = [['account_id', [...bad_ids, undefined, '$pricebook']]];
const caller: Row[] = [['request_id', ['sys:', 'sys:sweep:1']]];

const bad_quantities = [0, -1, 1.5, '1', null, 10 ** 12 + 1, 2 ** 53, true];

const rows: Record<string, Row[]> = {
  'UsageRequested.v1.items': [
    ...account,
    ...caller,
    ['items', [[], null, 'x', {}, Array(17).fill({ operation: 'a', quantity: 1 })]],
    ['items', bad_ids.map((operation) => [{ operation, quantity: 1 }]), 'items[0].operation'],
    [
      'items',
      bad_quantities.map((quantity) => [{ operation: 'a', quantity }]),
      'items[0].quantity',
    ],
    [
      'items',
      [[{ operation: 'a' }], [{ operation: 'a', quantity: undefined }]],
      'items[0].quantity',
    ],
    ['items', [[{ operation: 'a', quantity: 1, credits: 1 }]], 'items[0]'],
    ['operation', ['image.generation']],
    ['quantity', [1]],
    ['items', [undefined], 'operation'],
  ],
  'UsageRequested.v1.operation': [
    ...account,
    ['operation', bad_ids],
    ['operation', [undefined]],
    ['quantity', bad_quantities],
    ['items', [[{ operation: 'a', quantity: 1 }]], 'operation'],
  ],
  'CreditsGrantRequested.v1.full': [
    ...account,
    ...caller,
    ['credits', [...bad_credits, '1000000000000001', 10 ** 15 + 1, 2 ** 53, undefined]],
    ['kind', ['refund', '', null, undefined]],
    ['priority', [-1, 1_001, 0.5, '1', null]],
    ['effective_at', bad_times],
    ['expires_at', bad_times],
    ['paid', [5, null, 'EUR']],
    ['paid', [{ amount_minor: -1, currency: 'EUR' }], 'paid.amount_minor'],
    ['paid', [{ amount_minor: 0.5, currency: 'EUR' }], 'paid.amount_minor'],
    ['paid', [{ amount_minor: '5', currency: 'EUR' }], 'paid.amount_minor'],
    ['paid', [{ currency: 'EUR' }], 'paid.amount_minor'],
    ['paid', [{ amount_minor: 1, currency: 'eur' }], 'paid.currency'],
    ['paid', [{ amount_minor: 1, currency: 'EURO' }], 'paid.currency'],
    ['paid', [{ amount_minor: 1 }], 'paid.currency'],
    ['paid', [{ amount_minor: 1, currency: 'EUR', card: '4111' }], 'paid'],
  ],
  'SweepRequested.v1': [...account, ['request_id', ['sweep', 'sys', 'Sys:x', 'xsys:']]],
  'PriceBookPublishRequested.v1': [
    ...caller,
    ['account_id', ['alice', '', null, undefined]],
    ['version', [...bad_ids, undefined]],
    ['effective_from', [...bad_times, undefined]],
    ['prices', [{}, [], null, 'x', undefined, manyPrices(1_001)]],
    ['prices', bad_credits.map((credits) => ({ a: { credits } })), 'prices.a.credits'],
    ['prices', [{ a: {} }], 'prices.a.credits'],
    ['prices', pricesWith('per', [0, -1, 0.5, '1', 10 ** 9 + 1, null]), 'prices.a.per'],
    ['prices', pricesWith('rounding', ['nearest', null, '']), 'prices.a.rounding'],
    ['prices', pricesWith('fixed', [0, -1, '1.5', null]), 'prices.a.fixed'],
    ['prices', pricesWith('tiers', [[]]), 'prices.a'],
    ['prices', [{ 'a/b': { credits: 1 } }, { '': { credits: 1 } }], 'prices'],
  ],
};

function pricesWith(field: string, values: unknown[]): Fields[] {
  return values.map((value) => ({ a: { credits: 1, [field]: value } }));
}

function manyPrices(length: number): Fields {
  return Object.fromEntries(Array.from({ length }, (_, i) => [`o${i}`, { credits: 1 }]));
}

const cases = Object.entries(rows).flatMap(([name, own]) =>
  [...every, ...own].map(([field, values, at = field]) => [name, field, at, values] as const),
);

it('has rows for every request', () => {
  const types = new Set(goldenNames('requests').map((name) => name.split('.')[0]));
  expect(new Set(Object.keys(rows).map((name) => name.split('.')[0]))).toEqual(types);
});

it.each(cases)(
  '%s with a bad %s is refused, and the message points at %s',
  (name, field, at, values) => {
    for (const value of values) {
      const message = refusal(name, { [field]: value });
      expect({ value, message }).toEqual({
        value,
        message: expect.stringMatching(/^invalid_request ✖/),
      });
      const places = message!.split('\n').filter((line) => line.startsWith('  → at '));
      expect({ value, places }).toEqual({
        value,
        places: expect.arrayContaining([expect.stringContaining(`→ at ${at}`)]),
      });
    }
  },
);

it.each(goldenNames('requests'))('%s with a field that nobody knows is refused by name', (name) => {
  expect(refusal(name, { idempotency_key: 'x' })).toContain('"idempotency_key"');
});

it.each(goldenNames('requests'))('%s as it is and at its limits is accepted', (name) => {
  const metadata = { ['k'.repeat(64)]: 'ü'.repeat(256), two: 'line\n\tbreak', three: '💳\u2028' };
  expect(refusal(name, {})).toBeUndefined();
  expect(refusal(name, { occurred_at: undefined })).toBeUndefined();
  expect(refusal(name, { metadata, user_id: 'x'.repeat(128) })).toBeUndefined();
  expect(refusal(name, { tenant_id: 'a.b_c:d@e-F9', metadata: {} })).toBeUndefined();
  const { k16: _one, ...sixteen } = too_many;
  expect(Object.keys(sixteen)).toHaveLength(16);
  expect(refusal(name, { metadata: sixteen })).toBeUndefined();
});

it('a price book of a thousand operations is accepted, at its largest prices', () => {
  const price = { credits: '1000000000000000', per: 10 ** 9, fixed: 10 ** 15 };
  const prices = { ...manyPrices(999), vast: price };
  expect(refusal('PriceBookPublishRequested.v1', { prices })).toBeUndefined();
});

describe('usage', () => {
  const itemsOf = (changes: Fields) =>
    decodeRequest(
      JSON.stringify({ ...golden('requests', 'UsageRequested.v1.operation'), ...changes }),
      RECEIVED,
    );

  it('of one operation comes out as one item, one of it unless it says how many', () => {
    expect(itemsOf({})).toMatchObject({ items: [{ operation: 'image.generation', quantity: 2 }] });
    expect(itemsOf({ quantity: undefined })).toMatchObject({
      items: [{ operation: 'image.generation', quantity: 1 }],
    });
    expect(itemsOf({})).not.toHaveProperty('operation');
    expect(itemsOf({})).not.toHaveProperty('quantity');
  });

  it('may name an operation twice, up to sixteen lines', () => {
    const items = Array(16).fill({ operation: 'a', quantity: 10 ** 12 });
    const only = { operation: undefined, quantity: undefined };
    expect(itemsOf({ ...only, items })).toMatchObject({ items });
  });
});
