import type { Decision, Outcome, RejectionReason } from './decisions.js';

/** How HTTP says an outcome. A rejection is said by its reason. */
const OUTCOME_STATUS: Readonly<Record<Exclude<Outcome, 'rejected'>, 200 | 409>> = {
  consumed: 200,
  granted: 200,
  price_book_published: 200,
  expired: 200,
  nothing_due: 200,
  conflict: 409,
};

/** 422 also for what time would heal: the same request_id stays rejected for ever. */
export const REJECTION_STATUS: Readonly<Record<RejectionReason, 402 | 422>> = {
  insufficient_credits: 402,
  unknown_operation: 422,
  price_too_large: 422,
  already_expired: 422,
  too_many_open_grants: 422,
  version_exists: 422,
  effective_from_too_soon: 422,
};

/** The status that a decision is answered with, the first time and every time again. */
export function httpStatusOf({ outcome, reason }: Pick<Decision, 'outcome' | 'reason'>): number {
  if (outcome !== 'rejected') return OUTCOME_STATUS[outcome];
  return reason === undefined ? 422 : REJECTION_STATUS[reason];
}
