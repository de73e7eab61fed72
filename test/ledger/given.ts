import type { AccountEvent, AccountRequest, Decision } from '#libs/contracts';
import {
  balanceOf,
  copyAccount,
  decide,
  evolve,
  initialAccount,
  type Account,
  type Context,
  type Verdict,
} from '#libs/ledger';
import { contextOf, eventOf, rejected, requestOf, type Fact } from './facts.js';
import { ACCOUNT, NOON, TENANT } from './requests.js';

/**
 * `given(facts).when(request).thenRecorded(facts)`: the account is the fold of the facts, the request
 * is decided on it, and the events must be these in full, no more and no others.
 */
export function given(...facts: readonly Fact[]) {
  const account = accountOf(facts);
  return {
    account,
    when(request: AccountRequest, surroundings: Partial<Context & { prior: Decision }> = {}) {
      const { prior, ...given_context } = surroundings;
      const context = { ...contextOf(request, NOON), ...given_context };
      const verdict = decide(request, deepFreeze(copyAccount(account)), prior, context);
      return outcome(account, request, context, verdict);
    },
  };
}

/** The fold of events that tell this, each with the balance that follows from those before it. */
export function accountOf(facts: readonly Fact[]): Account {
  const account = initialAccount(TENANT, ACCOUNT);
  for (const fact of facts) {
    const request = requestOf(fact);
    evolve(account, eventOf(fact, balanceOf(account), request, contextOf(request, fact.at)));
  }
  return account;
}

function outcome(account: Account, request: AccountRequest, context: Context, verdict: Verdict) {
  const thenRecorded = (...facts: readonly Fact[]): void => {
    const after = copyAccount(account);
    const expected: AccountEvent[] = [];
    let balance = balanceOf(account);
    for (const fact of facts) {
      const event = eventOf(fact, balance, request, context);
      balance = event.balance_after;
      expected.push(event);
    }
    expect(verdict).toEqual({ kind: 'recorded', events: expected });
    if (verdict.kind === 'recorded') for (const event of verdict.events) evolve(after, event);
    expect(balanceOf(after)).toEqual(balance);
  };

  return {
    thenRecorded,
    /** Rejected for this reason, with these further fields, and nothing else recorded. */
    thenRejected(reason: string, own: object = {}): void {
      if (request.type === 'CreditsGrantRequested') {
        const { credits: asked_credits, kind, effective_at = context.now, paid } = request;
        const terms = { asked_credits, kind, effective_at, expires_at: request.expires_at ?? null };
        thenRecorded(rejected('GrantRejected', { ...terms, paid, reason, ...own }));
        return;
      }
      thenRecorded(rejected('UsageRejected', { lines: expect.any(Array), reason, ...own }));
    },
    /** Answered without an event. */
    thenAnswered(decision: Partial<Decision>): void {
      expect(verdict).toMatchObject({ kind: 'answered', decision });
    },
    /** For what an example looks at more closely. */
    verdict,
  };
}

/** So that a decision which changes its account fails every example. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
