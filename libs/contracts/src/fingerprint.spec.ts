import { golden, goldenText } from '../../../test/contracts/golden.js';
import { decodeRequest } from './encoding.js';
import { fingerprintOf } from './fingerprint.js';
import type { Instant } from './time.js';

/** Worked out by a program of another language from the list of fields alone. */
const VECTORS: Record<string, string> = {
  'UsageRequested.v1.items': '95504d321deb76bab3ac429b02ddea7d9346453d46862903966fe2725e3a2ab1',
  'UsageRequested.v1.operation': 'fa2c80edd0b55f61670eb2ffc1238036c8f7ff4b5feb9c2f69b5879be0b61564',
  'CreditsGrantRequested.v1.full':
    'bc1cc60227acfab187434d229fc143bfcb2b1fab9103de7e34866fa47f6ec8d4',
  'CreditsGrantRequested.v1.minimal':
    '67581cf4e5e368f86b021b6079ee224e50b5dc7ca3c7f98da4098afa939e3017',
  'PriceBookPublishRequested.v1':
    '1498ff0c16824dd46540885cd67224da9aee553a8f5f5c947b590f41176376d3',
  'SweepRequested.v1': '75a4c7dc3f4ce136c585d3c24194fc27e5b46c0e56a8ad03d3e95a788cc44bba',
};

type Fields = Record<string, unknown>;

const decode = (text: string) => decodeRequest(text, '2026-04-01T00:00:00.000Z' as Instant);

const print = (name: string, changes: Fields = {}): string =>
  fingerprintOf(decode(JSON.stringify({ ...golden('requests', name), ...changes })));

it.each(Object.entries(VECTORS))(
  '%s has one for ever: it is stored with the decision',
  (name, sha) => {
    expect(fingerprintOf(decode(goldenText('requests', name)))).toBe(`v1:${sha}`);
  },
);

/** What makes it another request. */
const told: [string, Fields[]][] = [
  [
    'UsageRequested.v1.items',
    [
      { items: [{ operation: 'llm.input_tokens', quantity: 1500 }] },
      { items: [{ operation: 'llm.input_tokens', quantity: 2000 }] },
      { items: [{ operation: 'llm.output_tokens', quantity: 1500 }] },
      {
        items: [
          { operation: 'llm.output_tokens', quantity: 500 },
          { operation: 'llm.input_tokens', quantity: 1500 },
        ],
      },
    ],
  ],
  [
    'CreditsGrantRequested.v1.full',
    [
      { credits: '999999999999999' },
      { kind: 'pack' },
      { priority: 1 },
      { priority: undefined },
      { effective_at: '2026-04-01T00:00:00.001Z' },
      { effective_at: undefined },
      { expires_at: '2026-05-01T00:00:00Z' },
      { expires_at: undefined },
      { paid: { amount_minor: 2000, currency: 'EUR' } },
      { paid: { amount_minor: 1999, currency: 'USD' } },
      { paid: undefined },
    ],
  ],
  [
    'PriceBookPublishRequested.v1',
    [
      { version: '2026-05' },
      { effective_from: '2026-04-01T00:00:01Z' },
      { prices: { 'text.generation': { credits: 2 } } },
      { prices: { 'text.generation': { credits: 3 } } },
      { prices: { 'text.generation': { credits: 2, per: 1 } } },
      { prices: { 'text.generation': { credits: 2, rounding: 'up' } } },
      { prices: { 'text.generation': { credits: 2, fixed: 1 } } },
      { prices: { 'image.generation': { credits: 2 } } },
    ],
  ],
];

it.each(told)('%s differs when any field of its content does', (name, changes) => {
  const prints = [print(name), ...changes.map((change) => print(name, change))];
  expect(new Set(prints).size).toBe(prints.length);
});

/** What a retry may restate. */
const untold: [string, Fields[]][] = Object.keys(VECTORS).map((name) => [
  name,
  [
    { occurred_at: '2020-01-01T00:00:00Z' },
    { occurred_at: undefined },
    { metadata: { attempt: '2' } },
    { metadata: undefined },
    { user_id: 'someone.else' },
    { api_key_id: 'rotated' },
    { tenant_id: 'other' },
    { request_id: name.startsWith('Sweep') ? 'sys:other' : 'other' },
  ],
]);

it.each(untold)('%s is the same whatever else a retry says', (name, changes) => {
  for (const change of changes) expect(print(name, change)).toBe(print(name));
});

it('is the same for every way to write the same thing', () => {
  const grant = 'CreditsGrantRequested.v1.minimal';
  expect(print(grant, { credits: '500' })).toBe(print(grant, { credits: 500 }));
  const full = 'CreditsGrantRequested.v1.full';
  expect(print(full, { effective_at: '2026-04-01T02:00:00.0004+02:00' })).toBe(print(full));
  const usage = 'UsageRequested.v1.operation';
  const items = [{ operation: 'image.generation', quantity: 2 }];
  expect(print(usage, { operation: undefined, quantity: undefined, items })).toBe(print(usage));
  const one = { operation: 'a', quantity: undefined };
  expect(print(usage, { ...one, quantity: 1 })).toBe(print(usage, one));
  const book = golden('requests', 'PriceBookPublishRequested.v1');
  const reversed = Object.fromEntries(Object.entries(book['prices'] as Fields).reverse());
  expect(print('PriceBookPublishRequested.v1', { prices: reversed })).toBe(
    print('PriceBookPublishRequested.v1'),
  );
});
