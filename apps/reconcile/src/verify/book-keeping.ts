import type { AccountEvent, Allocation, Credits, PricedLine } from '#libs/contracts';
import { priceLine, type ReadonlyAccount } from '#libs/ledger';

/**
 * An account's credits booked a second time, from allocations alone and without the ledger's own fold:
 * what was granted is consumed, expired, or still there, on each grant and in sum.
 */
export interface Books {
  granted: Credits;
  consumed: Credits;
  expired: Credits;
  /** Credits left on each grant that has any, scheduled ones among them. */
  readonly remaining: Map<string, Credits>;
}

export const newBooks = (): Books => ({
  granted: 0n,
  consumed: 0n,
  expired: 0n,
  remaining: new Map(),
});

/** Books one event. Returns what does not add up within it; undefined when all does. */
export function bookEvent(books: Books, event: AccountEvent): string | undefined {
  switch (event.type) {
    case 'CreditsGranted': {
      books.granted += event.credits;
      const { grant_id, credits } = event;
      if (books.remaining.has(grant_id)) return `grant ${grant_id} was granted before`;
      books.remaining.set(grant_id, credits);
      return unequal('allocations', sum(event.allocations), credits);
    }
    case 'UsageConsumed':
      books.consumed += event.credits;
      return (
        event.lines.map(lineFault).find((fault) => fault !== undefined) ??
        unequal('lines', sum(event.lines), event.credits) ??
        unequal('allocations', sum(event.allocations), event.credits) ??
        burn(books, event.allocations)
      );
    case 'CreditsExpired':
      books.expired += event.credits;
      return (
        unequal('allocations', sum(event.allocations), event.credits) ??
        burn(books, event.allocations)
      );
    case 'GrantActivated':
      return unequal(
        `what grant ${event.grant_id} held`,
        books.remaining.get(event.grant_id) ?? 0n,
        event.credits,
      );
    case 'UsageRejected':
    case 'GrantRejected':
      return undefined;
  }
}

/** What does not add up between the books and the folded account; undefined when all does. */
export function compareBooks(books: Books, account: ReadonlyAccount): string | undefined {
  let scheduled = 0n;
  for (const grant of account.grants) {
    if (grant.state === 'scheduled') scheduled += grant.remaining;
    const booked = books.remaining.get(grant.grant_id) ?? 0n;
    if (booked === grant.remaining) continue;
    return `grant ${grant.grant_id} holds ${grant.remaining}, by its allocations ${booked}`;
  }
  if (books.remaining.size !== account.grants.length) {
    return `${books.remaining.size} grants have credits left, the account has ${account.grants.length}`;
  }
  const left = books.granted - books.consumed - books.expired;
  const held = account.available + account.reserved + scheduled;
  return unequal('granted − consumed − expired', left, held);
}

function burn(books: Books, allocations: readonly Allocation[]): string | undefined {
  for (const { grant_id, credits } of allocations) {
    const left = (books.remaining.get(grant_id) ?? 0n) - credits;
    if (credits <= 0n || left < 0n) return `${credits} credits of grant ${grant_id} leave ${left}`;
    if (left === 0n) books.remaining.delete(grant_id);
    else books.remaining.set(grant_id, left);
  }
  return undefined;
}

function lineFault(line: PricedLine): string | undefined {
  const { operation, quantity, unit_credits, per, rounding, fixed } = line;
  const price = { credits: unit_credits, per, rounding, ...(fixed !== undefined && { fixed }) };
  return unequal(
    `${quantity} × ${operation}`,
    priceLine(operation, quantity, price).credits,
    line.credits,
  );
}

const sum = (parts: readonly { readonly credits: Credits }[]): Credits =>
  parts.reduce((total, { credits }) => total + credits, 0n);

const unequal = (what: string, is: Credits, should_be: Credits): string | undefined =>
  is === should_be ? undefined : `${what}: ${is} credits, recorded are ${should_be}`;
