import type { AccountKey } from '#libs/contracts';
import { LRUCache } from 'lru-cache';
import { unreadOf, type KnownAccount } from './known-account.js';

/** Accounts kept; a state is a few hundred bytes to some hundred kilobytes (1,000 open grants). */
const MAX_ACCOUNTS = 50_000;

/**
 * The accounts in use. An account is taken out while it is decided on and put back once its append is
 * written: a failure in between just forgets it, and two batches that meet on one account (a partition
 * lost and won again) never share a state.
 */
export class AccountCache {
  readonly #accounts: LRUCache<AccountKey, KnownAccount>;
  #unread = 0;

  constructor(max = MAX_ACCOUNTS) {
    const dispose = (known: KnownAccount) => (this.#unread -= unreadOf(known));
    this.#accounts = new LRUCache({ max, dispose });
  }

  take(key: AccountKey): KnownAccount | undefined {
    const known = this.#accounts.get(key);
    this.#accounts.delete(key);
    return known;
  }

  put(known: KnownAccount): void {
    this.#accounts.set(known.key, known);
    this.#unread += unreadOf(known);
  }

  /** Events of all kept accounts that the read side is not known to hold yet. */
  get unread(): number {
    return this.#unread;
  }

  /** Up to `limit` accounts with unread events. */
  unreadAccounts(limit: number): KnownAccount[] {
    const found: KnownAccount[] = [];
    for (const known of this.#accounts.values()) {
      if (unreadOf(known) > 0) found.push(known);
      if (found.length === limit) break;
    }
    return found;
  }

  get size(): number {
    return this.#accounts.size;
  }
}
