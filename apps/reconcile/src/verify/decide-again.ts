import {
  encodeEvent,
  fingerprintOf,
  InvariantBroken,
  type AccountEvent,
  type AccountRequest,
  type CreditsGranted,
  type DecisionEvent,
  type GrantRejected,
  type UsageConsumed,
  type UsageRejected,
} from '#libs/contracts';
import {
  decide,
  inForceAt,
  firstDueEvent,
  type PriceBooks,
  type ReadonlyAccount,
} from '#libs/ledger';
import { difference } from './difference.js';
import type { TenantPriceBooks } from './tenant-price-books.js';

/** Prices are asked for usage alone. */
const NO_PRICES = { version: '', effective_from: '', prices: {} } as never;

/**
 * Decides once more what an event decided: on the account as it was before, from what the event says of
 * its request, by the price book that was in force. The rules are pure, so the same bytes must come out:
 * price, rounding, burn order, period, and that a rejection was justified. The event's fingerprint must
 * be that of what it says was asked, and this alone is checked of usage whose price books cannot be read.
 * Returns what differs; undefined when nothing does.
 */
export function decidedOtherwise(
  event: AccountEvent,
  data: string,
  account: ReadonlyAccount,
  price_books: TenantPriceBooks,
): string | undefined {
  try {
    const is_priced = 'price_book_version' in event;
    const books = is_priced ? price_books(event.tenant_id) : undefined;
    if (is_priced && books === undefined) return fingerprintFault(event);
    const again =
      'caused_by' in event ? dueAgain(event, account) : decideAgain(event, account, books);
    if (again === undefined) return 'something else was due first';
    const expected = encodeEvent(again);
    return expected === data
      ? fingerprintFault(event)
      : `decided again it says otherwise: ${difference(expected, data)}`;
  } catch (error) {
    if (error instanceof InvariantBroken) return error.message;
    throw error;
  }
}

function decideAgain(
  decision: DecisionEvent,
  before: ReadonlyAccount,
  books: PriceBooks | undefined,
): AccountEvent | undefined {
  const { recorded_at: now, source, fingerprint } = decision;
  const verdict = decide(
    requestsOf(decision)[0]!,
    before,
    undefined, // decided for the first time
    { now, source, fingerprint, price_book: books ? inForceAt(books, now) : NO_PRICES },
  );
  return verdict.kind === 'recorded' && verdict.events.length === 1 ? verdict.events[0] : undefined;
}

function dueAgain(
  { recorded_at: now, caused_by, source }: Extract<AccountEvent, { caused_by: string }>,
  account: ReadonlyAccount,
): AccountEvent | undefined {
  return firstDueEvent(account, { now, caused_by, source });
}

function fingerprintFault(event: AccountEvent): string | undefined {
  // A rejected grant does not say its priority, which is part of what was asked.
  if ('caused_by' in event || event.type === 'GrantRejected') return undefined;
  if (requestsOf(event).some((request) => fingerprintOf(request) === event.fingerprint)) {
    return undefined;
  }
  return 'its fingerprint is not that of the request that it repeats';
}

/** What may have been asked: an event does not say which of its terms were left to their defaults. */
function requestsOf(event: DecisionEvent): AccountRequest[] {
  switch (event.type) {
    case 'UsageConsumed':
    case 'UsageRejected':
      return [{ ...askedBy(event), type: 'UsageRequested', items: itemsOf(event) }];
    case 'GrantRejected':
      return [grantRequest(event, event.asked_credits, {})];
    case 'CreditsGranted': {
      const { priority, effective_at } = event;
      return [{ priority, effective_at }, { priority }, { effective_at }, {}].map((terms) =>
        grantRequest(event, event.credits, terms),
      );
    }
  }
}

const askedBy = (event: DecisionEvent) => ({
  schema: 1 as const,
  tenant_id: event.tenant_id,
  account_id: event.account_id,
  request_id: event.request_id as never,
  occurred_at: event.occurred_at,
  user_id: event.user_id,
  api_key_id: event.api_key_id,
  metadata: event.metadata,
});

const itemsOf = (event: UsageConsumed | UsageRejected) =>
  (event.type === 'UsageRejected' ? event.items : undefined) ??
  event.lines.map(({ operation, quantity }) => ({ operation, quantity }));

const grantRequest = (
  event: CreditsGranted | GrantRejected,
  credits: bigint,
  terms: { priority?: number; effective_at?: CreditsGranted['effective_at'] },
): AccountRequest => ({
  ...askedBy(event),
  type: 'CreditsGrantRequested',
  credits,
  kind: event.kind,
  ...(event.type === 'GrantRejected' && { effective_at: event.effective_at }),
  ...terms,
  ...(event.expires_at !== null && { expires_at: event.expires_at }),
  ...(event.paid && { paid: event.paid }),
});
