import type { AccountKey } from '#libs/contracts';
import { LRUCache } from 'lru-cache';
import { unreadOf, type KnownAccount } from './known-account.js';

/** Accounts kept, if they are ordinary: a few grants and a few answers each. */
const MAX_ACCOUNTS = 50_000;
/** What they may weigh together, in units of about 300 bytes of heap: at most some 300 MB. */
const MAX_WEIGHT = 20 * MAX_ACCOUNTS;

/** A grant weighs one. */
const ANSWER_WEIGHT = 2;
const EMPTY_ACCOUNT_WEIGHT = 3;

const weightOf = ({ account, answers }: KnownAccount): number =>
  EMPTY_ACCOUNT_WEIGHT + account.grants.length + ANSWER_WEIGHT * answers.size;

/**
 * The accounts in use. An account is taken out while it is decided on and put back once its append is
 * written: a failure in between just forgets it, and two batches that meet on one account (a partition
 * lost and won again) never share a state.
 */
export class AccountCache {
  readonly #accounts: LRUCache<AccountKey, KnownAccount>;
  #unread = 0;

  constructor(max = MAX_ACCOUNTS, max_weight = MAX_WEIGHT) {
    this.#accounts = new LRUCache({
      max,
      maxSize: max_weight,
      sizeCalculation: weightOf,
      dispose: (known) => (this.#unread -= unreadOf(known)),
    });
  }

  take(key: AccountKey): KnownAccount | undefined {
    const known = this.#accounts.get(key);
    this.#accounts.delete(key);
    return known;
  }

  put(known: KnownAccount): void {
    this.#accounts.set(known.key, known);
    // Not there if it alone outweighs the cache.
    if (this.#accounts.has(known.key)) this.#unread += unreadOf(known);
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
