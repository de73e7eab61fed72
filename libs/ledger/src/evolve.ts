import {
  InvariantBroken,
  type AccountEvent,
  type CreditsGranted,
  type GrantId,
  type Instant,
} from '#libs/contracts';
import { dueAtOf, type Account, type Grant } from './account.js';
import { compareBurnOrder } from './burn-order.js';

/**
 * Folds one event into the account. Owns the account and changes it in place: a copy per event would
 * make a long replay quadratic. Throws InvariantBroken when the event contradicts the account.
 */
export function evolve(account: Account, event: AccountEvent): Account {
  if (account.now !== null && event.recorded_at < account.now) {
    throw new InvariantBroken(
      `${event.type} recorded at ${event.recorded_at}, before ${account.now}`,
    );
  }
  apply(account, event);
  if (account.available !== event.balance_after.available || account.available < 0n) {
    throw new InvariantBroken(
      `${event.type} leaves ${account.available} credits available, ` +
        `its balance_after says ${event.balance_after.available}`,
    );
  }
  account.now = event.recorded_at;
  return account;
}

function apply(account: Account, event: AccountEvent): void {
  switch (event.type) {
    case 'UsageConsumed':
      for (const { grant_id, credits } of event.allocations) take(account, grant_id, credits);
      account.available -= event.credits;
      return;
    case 'CreditsGranted':
      addGrant(account, event);
      if (event.state === 'active') account.available += event.credits;
      return;
    case 'GrantActivated':
      findGrant(account, event.grant_id).state = 'active';
      account.available += event.credits;
      account.next_due_at = nextDueAt(account);
      return;
    case 'CreditsExpired':
      take(account, event.grant_id, event.credits);
      account.available -= event.credits;
      return;
    case 'UsageRejected':
    case 'GrantRejected':
      return;
  }
}

function addGrant(account: Account, event: CreditsGranted): void {
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

function take(account: Account, grant_id: GrantId, credits: bigint): void {
  const grant = findGrant(account, grant_id);
  if (credits > grant.remaining) {
    throw new InvariantBroken(`grant ${grant_id} holds ${grant.remaining}, ${credits} were taken`);
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
