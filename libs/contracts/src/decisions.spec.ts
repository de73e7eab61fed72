import { golden, goldenNames, goldenText } from '../../../test/contracts/golden.js';
import { Decision, decisionOf, REJECTION_REASONS } from './decisions.js';
import { decodeAccountEvent, decodePriceBookEvent } from './encoding.js';
import type { DecisionEvent } from './events.js';

const DUE = ['GrantActivated', 'CreditsExpired'];
const deciding = goldenNames('events').filter((name) => !DUE.includes(name.split('.')[0]!));

const eventOf = (name: string) => {
  const data = goldenText('events', name);
  if (name.startsWith('PriceBook')) return decodePriceBookEvent(data);
  return decodeAccountEvent(data) as DecisionEvent;
};

const OUTCOME: Record<string, string> = {
  UsageConsumed: 'consumed',
  UsageRejected: 'rejected',
  CreditsGranted: 'granted',
  GrantRejected: 'rejected',
  PriceBookPublished: 'price_book_published',
  PriceBookRejected: 'rejected',
};

it.each(deciding)('%s is the decision of its request', (name) => {
  const event = eventOf(name);
  const decision = decisionOf(event, 17);
  const { tenant_id, account_id, request_id, fingerprint, recorded_at } = event;
  const outcome = OUTCOME[event.type];
  expect(decision).toMatchObject({ tenant_id, account_id, request_id, fingerprint, outcome });
  expect(decision).toMatchObject({ recorded_at, revision: 17, replayed: false });
  expect(decision.balance_after).toEqual(
    'balance_after' in event ? event.balance_after : undefined,
  );
  expect(decision.reason).toBe('reason' in event ? event.reason : undefined);
  expect(Decision.safeEncode(decision).success).toBe(true);
});

it('moves no credits when it rejects, and what the event moved when it does not', () => {
  for (const event of deciding.map(eventOf)) {
    const moved = 'credits' in event ? event.credits : 0n;
    expect([event.type, decisionOf(event, 0).credits]).toEqual([event.type, moved]);
  }
});

it('names what the caller has to know to act', () => {
  expect(decisionOf(eventOf('UsageRejected.v1.insufficient_credits'), 0)).toMatchObject({
    price: 900n,
    shortfall: 444n,
    price_book_version: '2026-01',
  });
  expect(decisionOf(eventOf('UsageRejected.v1.unknown_operation'), 0)).toMatchObject({
    operation: 'constructor',
  });
  expect(decisionOf(eventOf('PriceBookPublished.v1'), 0)).toMatchObject({
    price_book_version: '2026-04',
  });
});

it('tells every reason of a rejection apart', () => {
  expect(new Set(REJECTION_REASONS).size).toBe(REJECTION_REASONS.length);
  const reasons = goldenNames('decisions').map((name) => golden('decisions', name)['reason']);
  const known: readonly unknown[] = [undefined, ...REJECTION_REASONS];
  expect(reasons.filter((reason) => !known.includes(reason))).toEqual([]);
});
