import {
  InvariantBroken,
  type AccountEvent,
  type CreditsExpired,
  type CreditsGranted,
  type GrantActivated,
  type GrantId,
  type Instant,
  type UsageConsumed,
} from '#libs/contracts';
import { dueAtOf, type Account, type Grant } from './account.js';
import { compareBurnOrder } from './burn-order.js';

/**
 * Folds one event into the account. Owns the account and changes it in place: a copy per event would
 * make a long replay quadratic. Throws InvariantBroken when the event contradicts the account, which
 * is of no use from then on.
 */
export function evolve(account: Account, event: AccountEvent): Account {
  if (event.tenant_id !== account.tenant_id || event.account_id !== account.account_id) {
    throw new InvariantBroken(`${event.type} belongs to ${event.tenant_id}/${event.account_id}`);
  }
  if (account.now !== null && event.recorded_at < account.now) {
    throw new InvariantBroken(
      `${event.type} recorded at ${event.recorded_at}, before ${account.now}`,
    );
  }
  apply(account, event);
  const { available, reserved } = event.balance_after;
  if (account.available !== available || account.reserved !== reserved || available < 0n) {
    throw new InvariantBroken(
      `${event.type} leaves ${account.available} credits available, ${account.reserved} reserved, ` +
        `its balance_after says ${available}, ${reserved}`,
    );
  }
  account.now = event.recorded_at;
  return account;
}

function apply(account: Account, event: AccountEvent): void {
  switch (event.type) {
    case 'UsageConsumed':
      takeAll(account, event);
      return;
    case 'CreditsGranted':
      expectOnly(event);
      addGrant(account, event);
      if (event.state === 'active') account.available += event.credits;
      return;
    case 'GrantActivated':
      expectOnly(event);
      activate(account, event);
      return;
    case 'CreditsExpired':
      expectOnly(event);
      takeAll(account, event);
      return;
    case 'UsageRejected':
    case 'GrantRejected':
      return;
  }
}

/** Credits come and go by whole grants: the event's one allocation must say the same. */
function expectOnly(event: CreditsGranted | GrantActivated | CreditsExpired): void {
  const [only, ...others] = event.allocations;
  if (others.length === 0 && only?.grant_id === event.grant_id && only.credits === event.credits) {
    return;
  }
  throw new InvariantBroken(`${event.type} of ${event.grant_id} does not allocate what it moves`);
}

function addGrant(account: Account, event: CreditsGranted): void {
  if (event.credits <= 0n || account.grants.some((other) => other.grant_id === event.grant_id)) {
    throw new InvariantBroken(`grant ${event.grant_id} cannot be opened with ${event.credits}`);
  }
  const grant: Grant = {
    grant_id: event.grant_id,
    kind: event.kind,
    priority: event.priority,
    granted_at: event.recorded_at,
    effective_at: event.effective_at,
    expires_at: event.expires_at,
    state: event.state,
    remaining: event.credits,
  };
  const at = account.grants.findIndex((other) => compareBurnOrder(grant, other) < 0);
  account.grants.splice(at === -1 ? account.grants.length : at, 0, grant);
  account.next_due_at = nextDueAt(account);
}

function activate(account: Account, event: GrantActivated): void {
  const grant = findGrant(account, event.grant_id);
  if (grant.state !== 'scheduled' || grant.remaining !== event.credits) {
    throw new InvariantBroken(`grant ${event.grant_id} does not start with ${event.credits}`);
  }
  grant.state = 'active';
  account.available += event.credits;
  account.next_due_at = nextDueAt(account);
}

function takeAll(account: Account, event: UsageConsumed | CreditsExpired): void {
  let allocated = 0n;
  for (const { grant_id, credits } of event.allocations) {
    take(account, grant_id, credits);
    allocated += credits;
  }
  if (allocated !== event.credits) {
    throw new InvariantBroken(`${event.type} of ${event.credits} credits allocates ${allocated}`);
  }
  account.available -= allocated;
}

function take(account: Account, grant_id: GrantId, credits: bigint): void {
  const grant = findGrant(account, grant_id);
  if (grant.state !== 'active' || credits <= 0n || credits > grant.remaining) {
    throw new InvariantBroken(
      `grant ${grant_id}, ${grant.state}, holds ${grant.remaining}: ${credits} cannot be taken`,
    );
  }
  grant.remaining -= credits;
  if (grant.remaining > 0n) return;
  account.grants.splice(account.grants.indexOf(grant), 1);
  if (dueAtOf(grant) !== null) account.next_due_at = nextDueAt(account);
}

function findGrant(account: Account, grant_id: GrantId): Grant {
  const grant = account.grants.find((candidate) => candidate.grant_id === grant_id);
  if (!grant) throw new InvariantBroken(`grant ${grant_id} is not open`);
  return grant;
}

function nextDueAt(account: Account): Instant | null {
  let next: Instant | null = null;
  for (const grant of account.grants) {
    const due_at = dueAtOf(grant);
    if (due_at !== null && (next === null || due_at < next)) next = due_at;
  }
  return next;
}
