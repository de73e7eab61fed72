import type { AccountKey } from '#libs/contracts';
import type { FoldedAccount } from './folded-account.js';

interface Cached {
  readonly folded: FoldedAccount;
  weight: number;
  holders: number;
}

/**
 * The accounts that were projected last, so that their states need not be read again. Bounded by
 * weight (an account and each of its open grants count one); the least recently used leave first, but
 * none that a batch still holds, since its row is not written yet.
 */
export class AccountCache {
  readonly #accounts = new Map<AccountKey, Cached>();
  #weight = 0;

  constructor(readonly max_weight: number) {}

  get size(): number {
    return this.#accounts.size;
  }

  get(key: AccountKey): FoldedAccount | undefined {
    return this.#accounts.get(key)?.folded;
  }

  /** Keeps the accounts of a batch until it is released. */
  hold(accounts: Iterable<FoldedAccount>): void {
    for (const folded of accounts) {
      const cached = this.#accounts.get(folded.key) ?? { folded, weight: 0, holders: 0 };
      cached.holders += 1;
      this.#accounts.delete(folded.key); // to the end of the order: used last
      this.#accounts.set(folded.key, cached);
    }
  }

  release(accounts: Iterable<FoldedAccount>): void {
    for (const { key, account } of accounts) {
      const cached = this.#accounts.get(key);
      if (cached === undefined) continue; // cleared meanwhile
      cached.holders -= 1;
      const weight = 1 + account.grants.length;
      this.#weight += weight - cached.weight;
      cached.weight = weight;
    }
    this.#evict();
  }

  clear(): void {
    this.#accounts.clear();
    this.#weight = 0;
  }

  #evict(): void {
    for (const [key, { weight, holders }] of this.#accounts) {
      if (this.#weight <= this.max_weight) return;
      if (holders > 0) continue;
      this.#accounts.delete(key);
      this.#weight -= weight;
    }
  }
}
