import { httpStatusOf, OUTCOMES, REJECTION_REASONS } from './index.js';

it('says every outcome and every reason as a status', () => {
  const statuses = [
    ...OUTCOMES.map((outcome) => httpStatusOf({ outcome })),
    ...REJECTION_REASONS.map((reason) => httpStatusOf({ outcome: 'rejected', reason })),
  ];
  expect(new Set(statuses)).toEqual(new Set([200, 402, 409, 422]));
});

it.each([
  [{ outcome: 'consumed' as const }, 200],
  [{ outcome: 'conflict' as const }, 409],
  [{ outcome: 'rejected' as const, reason: 'insufficient_credits' as const }, 402],
  [{ outcome: 'rejected' as const, reason: 'unknown_operation' as const }, 422],
])('%j is %i', (decision, status) => expect(httpStatusOf(decision)).toBe(status));
