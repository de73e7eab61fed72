import {
  decodeAccountEvent,
  decodePriceBookEvent,
  encodeEvent,
  InvariantBroken,
  recordedPrices,
  type GrantRejected,
  type LedgerRequest,
  type PriceBookEvent,
} from '#libs/contracts';
import { decisionFields, grantRejection } from '#libs/ledger';
import { difference } from './difference.js';

/**
 * Decisions whose fingerprint does not vouch for what they repeat of their request: a rejected grant
 * does not say its priority, a price book does not say which terms were left to their defaults.
 */
const COMPARED: readonly string[] = [
  'GrantRejected',
  'PriceBookPublished',
  'PriceBookRejected',
] satisfies (GrantRejected | PriceBookEvent)['type'][];

export const isComparedWithRequest = (type: string): boolean => COMPARED.includes(type);

/** What such a decision says otherwise than its request; undefined when it repeats all of it. */
export function termsFault(request: LedgerRequest, data: string): string | undefined {
  try {
    const expected = repeatedBy(request, data);
    if (expected === undefined) return `a ${request.type} is not decided like that`;
    return expected === data ? undefined : difference(expected, data);
  } catch (error) {
    // What cannot be read is found where its stream is folded.
    if (error instanceof InvariantBroken) return undefined;
    throw error;
  }
}

/** The event again, with all that was asked out of the request. Undefined for another request. */
function repeatedBy(request: LedgerRequest, data: string): string | undefined {
  switch (request.type) {
    case 'CreditsGrantRequested': {
      const event = decodeAccountEvent(data);
      if (event.type !== 'GrantRejected') return undefined;
      const { reason, balance_after } = event;
      return encodeEvent(grantRejection(request, contextOf(event), reason, balance_after));
    }
    case 'PriceBookPublishRequested': {
      const event = decodePriceBookEvent(data);
      const { account_id, version, effective_from } = request;
      const fields = decisionFields(request, contextOf(event));
      const asked = { ...fields, account_id, version, effective_from };
      if (event.type === 'PriceBookPublished') {
        return encodeEvent({ type: event.type, ...asked, prices: recordedPrices(request.prices) });
      }
      const { type, reason, earliest } = event;
      return encodeEvent({ type, ...asked, reason, ...(earliest && { earliest }) });
    }
    case 'UsageRequested':
    case 'SweepRequested':
      return undefined;
  }
}

const contextOf = ({ recorded_at: now, source, fingerprint }: GrantRejected | PriceBookEvent) => ({
  now,
  source,
  fingerprint,
});
