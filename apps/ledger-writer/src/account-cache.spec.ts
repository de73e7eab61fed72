import { accountKey, type Decision } from '#libs/contracts';
import { initialAccount, type Grant } from '#libs/ledger';
import { TENANT } from '../../../test/fixtures/requests.js';
import { AccountCache } from './account-cache.js';
import type { KnownAccount } from './known-account.js';

/** An account of that many grants whose answers are all unread. */
function accountOf(account_id: string, grants: number, answers = 0): KnownAccount {
  const account = initialAccount(TENANT as never, account_id as never);
  return {
    key: accountKey(TENANT, account_id),
    head: { revision: answers - 1, chain: '' },
    account: { ...account, grants: Array.from({ length: grants }, () => ({}) as Grant) },
    floor: -1,
    answers: new Map(Array.from({ length: answers }, (_, i) => [`r-${i}`, {} as Decision])),
  };
}

function filled(accounts: number, grants: number, answers: number): AccountCache {
  const cache = new AccountCache();
  for (let n = 0; n < accounts; n += 1) cache.put(accountOf(`acct-${n}`, grants, answers));
  return cache;
}

describe('the account cache', () => {
  it('keeps 50,000 ordinary accounts', () => {
    expect(filled(50_001, 5, 5).size).toBe(50_000);
  });

  it('keeps fewer of those with many grants or answers, the last ones used', () => {
    const heavy = filled(1_200, 1_000, 0);
    expect(heavy.size).toBeLessThan(1_000);
    expect(heavy.size).toBeGreaterThan(900);
    expect(heavy.take(accountKey(TENANT, 'acct-0'))).toBeUndefined();
    expect(heavy.take(accountKey(TENANT, 'acct-1199'))).toBeDefined();
    expect(filled(600, 0, 1_000).size).toBeLessThan(500);
  });

  it('weighs an account anew whenever it is put back', () => {
    const cache = new AccountCache(10, 100);
    cache.put(accountOf('small', 1));
    cache.put(accountOf('grows', 1));
    const known = cache.take(accountKey(TENANT, 'grows'))!;
    known.account = accountOf('grows', 95).account;
    cache.put(known);
    expect(cache.take(accountKey(TENANT, 'small'))).toBeUndefined();
    expect(cache.size).toBe(1);
  });

  it('counts the unread events of what it keeps, and of nothing else', () => {
    const cache = new AccountCache(10, 100);
    cache.put(accountOf('a', 0, 20));
    expect(cache.unread).toBe(20);
    cache.put(accountOf('b', 0, 40));
    expect(cache.unread).toBe(40);
    // Too heavy to be kept at all.
    cache.put(accountOf('b', 0, 60));
    expect([cache.size, cache.unread]).toEqual([0, 0]);
  });
});
