import type { Account, Grant, ReadonlyAccount } from './account.js';

/**
 * The account as the read side keeps it beside its balance: JSON with credits as decimal strings, in
 * one fixed order, so that a rebuilt row has the same bytes as the live one.
 */
export const encodeAccount = (account: ReadonlyAccount): string =>
  JSON.stringify({
    now: account.now,
    available: account.available.toString(),
    reserved: account.reserved.toString(),
    grants: account.grants.map((grant) => ({
      grant_id: grant.grant_id,
      kind: grant.kind,
      priority: grant.priority,
      granted_at: grant.granted_at,
      effective_at: grant.effective_at,
      expires_at: grant.expires_at,
      state: grant.state,
      remaining: grant.remaining.toString(),
    })),
    next_due_at: account.next_due_at,
  });

/** Inverse of encodeAccount. Only for text of the current STATE_VERSION. */
export function decodeAccount(
  tenant_id: Account['tenant_id'],
  account_id: Account['account_id'],
  state: string,
): Account {
  const stored = JSON.parse(state) as StoredAccount;
  return {
    tenant_id,
    account_id,
    now: stored.now,
    available: BigInt(stored.available),
    reserved: BigInt(stored.reserved),
    grants: stored.grants.map((grant) => ({ ...grant, remaining: BigInt(grant.remaining) })),
    next_due_at: stored.next_due_at,
  };
}

interface StoredAccount extends Pick<Account, 'now' | 'next_due_at'> {
  readonly available: string;
  readonly reserved: string;
  readonly grants: (Omit<Grant, 'remaining'> & { readonly remaining: string })[];
}
