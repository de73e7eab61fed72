import { deadLetterOf, decodeAccountEvent, type Instant } from '#libs/contracts';
import { TestRecorder, type RecordedEvent } from '../../../test/fixtures/recorded-events.js';
import { deadLetterBody, entryBody } from './views.js';

const recorder = new TestRecorder();
const alice = recorder.account('alice');
const entryOf = ([recorded]: RecordedEvent[]) =>
  entryBody({ event: decodeAccountEvent(recorded!.data), revision: recorded!.revision, chain: '' });

describe('the statement tells of', () => {
  const paid = { amount_minor: 1900, currency: 'EUR' };
  const about = { user_id: 'u1', api_key_id: 'k1', metadata: { order: '7' } };

  it('a grant what it is and what was paid', () => {
    const terms = { expires_at: '2027-01-01T00:00:00.000Z', paid };
    expect(entryOf(recorder.grant(alice, 100, { ...terms, ...about }))).toMatchObject({
      what: 'CreditsGranted',
      credits: 100n,
      kind: 'pack',
      effective_at: recorder.now,
      ...terms,
      ...about,
    });
  });

  it('a grant that never ends, and that nobody paid for', () => {
    const entry = entryOf(recorder.grant(alice, 1, { kind: 'promo' }));
    expect(entry).toMatchObject({ kind: 'promo', expires_at: null });
    expect(entry).not.toHaveProperty('paid');
    expect(entry).not.toHaveProperty('metadata');
  });

  it('a payment whose credits were refused what was asked and paid', () => {
    const terms = { expires_at: '2020-01-01T00:00:00.000Z', paid };
    expect(entryOf(recorder.grant(alice, 100, terms))).toMatchObject({
      what: 'GrantRejected',
      reason: 'already_expired',
      credits: 0n,
      asked_credits: 100n,
      kind: 'pack',
      ...terms,
    });
  });

  it('usage whose it was, also when it was rejected', () => {
    expect(entryOf(recorder.use(alice, 'image.generation', 1, about))).toMatchObject(about);
    expect(entryOf(recorder.use(alice, 'image.generation', 99, about))).toMatchObject(about);
    expect(entryOf(recorder.use(alice, 'image.generation', 1))).not.toHaveProperty('user_id');
  });
});

describe('the statement of what could not be priced', () => {
  const rejected = (...operations: string[]) => {
    const items = operations.map((operation) => ({ operation, quantity: 2 }));
    const [operation] = operations;
    const event = {
      type: 'UsageRejected',
      reason: 'unknown_operation',
      operation,
      lines: [],
      items,
    };
    return entryBody({ event, revision: 0, chain: '' } as unknown as Parameters<
      typeof entryBody
    >[0]);
  };

  it('tells the operation and the items that were asked for', () => {
    const items = [{ operation: 'teleport', quantity: 2 }];
    expect(rejected('teleport')).toMatchObject({ operation: 'teleport', quantity: 2, items });
  });

  it('tells of several which one has no price', () => {
    const entry = rejected('teleport', 'image.generation');
    expect(entry).toMatchObject({ operation: 'teleport', quantity: null, lines: [] });
    expect(entry.items).toHaveLength(2);
  });
});

it('I16: tells a tenant when its dead letter was dismissed, not by whom and why', () => {
  const at = '2026-01-31T12:00:00.000Z' as Instant;
  const source = { topic: 'ledger.usage', partition: 0, offset: 7, timestamp: at };
  const message = { ...source, key: 'acme/alice', value: '{}', headers: {} };
  const letter = {
    ...deadLetterOf(message, 'conflict', 'reused'),
    tenant_id: 'acme',
    filed_at: at,
    redriven_at: null,
  };
  const dismissed = { at, by: 'bob', why: 'a job of other reused it' };
  expect(deadLetterBody({ ...letter, dismissed })).toEqual({ ...letter, dismissed_at: at });
  expect(deadLetterBody({ ...letter, dismissed: null })).toEqual({ ...letter, dismissed_at: null });
});
