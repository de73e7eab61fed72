import { InvariantBroken, type Allocation, type Credits } from '#libs/contracts';
import type { Grant } from './account.js';

/** Of a grant whose request says none. */
export const DEFAULT_PRIORITY = 100;

/**
 * Which grant burns first: the lower priority number, then the soonest expiry (none is last), then
 * the oldest, then the grant id. Total, so that replay burns the same grants.
 */
export function compareBurnOrder(a: Readonly<Grant>, b: Readonly<Grant>): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  if (a.expires_at !== b.expires_at) return compareExpiry(a.expires_at, b.expires_at);
  if (a.granted_at !== b.granted_at) return a.granted_at < b.granted_at ? -1 : 1;
  if (a.grant_id !== b.grant_id) return a.grant_id < b.grant_id ? -1 : 1;
  return 0;
}

function compareExpiry(a: string | null, b: string | null): number {
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}

/**
 * Takes `credits` from the active grants in burn order.
 * Throws InvariantBroken when they hold less: the caller has checked the balance.
 */
export function allocate(grants: readonly Readonly<Grant>[], credits: Credits): Allocation[] {
  const allocations: Allocation[] = [];
  let missing = credits;
  for (const grant of grants) {
    if (missing === 0n) break;
    if (grant.state !== 'active') continue;
    const taken = grant.remaining < missing ? grant.remaining : missing;
    allocations.push({ grant_id: grant.grant_id, credits: taken });
    missing -= taken;
  }
  if (missing > 0n) throw new InvariantBroken(`active grants hold ${missing} credits too few`);
  return allocations;
}
