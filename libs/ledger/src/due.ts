import {
  EVENT_SCHEMA,
  type CreditsExpired,
  type GrantActivated,
  type Instant,
  type MessageCoordinate,
  type RequestId,
} from '#libs/contracts';
import { copyAccount, dueAtOf, type Grant, type ReadonlyAccount } from './account.js';
import { evolve } from './evolve.js';

/** What has fallen due on an account: at this instant, this grant starts to count or expires. */
export interface DueItem {
  readonly due_at: Instant;
  readonly what: 'activate' | 'expire';
  readonly grant: Readonly<Grant>;
}

/** The first thing due by `now`, in the order of (instant, grant id); undefined when nothing is. */
export function firstDue(account: ReadonlyAccount, now: Instant): DueItem | undefined {
  let first: DueItem | undefined;
  for (const grant of account.grants) {
    const due_at = dueAtOf(grant);
    if (due_at === null || due_at > now) continue;
    if (first && !isBefore(due_at, grant, first)) continue;
    first = { due_at, what: grant.state === 'scheduled' ? 'activate' : 'expire', grant };
  }
  return first;
}

const isBefore = (due_at: Instant, grant: Readonly<Grant>, other: DueItem): boolean =>
  due_at < other.due_at || (due_at === other.due_at && grant.grant_id < other.grant.grant_id);

/** The same list without recording anything: what a balance shows as due. */
export function listDue(account: ReadonlyAccount, now: Instant): DueItem[] {
  return recordDue(account, { now, caused_by: 'sys:preview' as RequestId, source: NOWHERE }).due;
}

const NOWHERE: MessageCoordinate = { topic: '', partition: 0, offset: 0 };

/**
 * The events for everything due by `now`, in order, and the account after them. The account given is
 * not changed: it is copied when something is due, which is rare.
 */
export function recordDue(
  account: ReadonlyAccount,
  at: { now: Instant; caused_by: RequestId; source: MessageCoordinate },
): { account: ReadonlyAccount; events: (GrantActivated | CreditsExpired)[]; due: DueItem[] } {
  if (account.next_due_at === null || account.next_due_at > at.now) {
    return { account, events: [], due: [] };
  }
  const after = copyAccount(account);
  const events: (GrantActivated | CreditsExpired)[] = [];
  const due: DueItem[] = [];
  for (let item = firstDue(after, at.now); item; item = firstDue(after, at.now)) {
    const event = dueEvent(after, item, at);
    due.push({ ...item, grant: { ...item.grant } });
    events.push(event);
    evolve(after, event);
  }
  return { account: after, events, due };
}

/** The first event of `recordDue` without the others; undefined when nothing is due. */
export function firstDueEvent(
  account: ReadonlyAccount,
  at: { now: Instant; caused_by: RequestId; source: MessageCoordinate },
): GrantActivated | CreditsExpired | undefined {
  const item = firstDue(account, at.now);
  return item && dueEvent(account, item, at);
}

function dueEvent(
  account: ReadonlyAccount,
  { due_at, what, grant }: DueItem,
  at: { now: Instant; caused_by: RequestId; source: MessageCoordinate },
): GrantActivated | CreditsExpired {
  const credits = grant.remaining;
  const moved = what === 'activate' ? credits : -credits;
  return {
    type: what === 'activate' ? 'GrantActivated' : 'CreditsExpired',
    schema: EVENT_SCHEMA,
    tenant_id: account.tenant_id,
    account_id: account.account_id,
    caused_by: at.caused_by,
    grant_id: grant.grant_id,
    occurred_at: due_at,
    recorded_at: at.now,
    source: at.source,
    credits,
    allocations: [{ grant_id: grant.grant_id, credits }],
    balance_after: { available: account.available + moved, reserved: account.reserved },
  };
}
