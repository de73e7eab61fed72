import {
  encodeEvent,
  epochMsOf,
  instantOf,
  laterOf,
  SHIPPED_PRICE_BOOK_REQUEST_ID,
  type PriceBookEvent,
} from '#libs/contracts';
import { decidePriceBook, MIN_NOTICE_MS, type PriceBooks } from '#libs/ledger';
import { difference } from './difference.js';

/**
 * Decides once more whether a version of the prices was published: on the books as they were before,
 * from what the event says of its request. Returns what differs; undefined when nothing does.
 */
export function publishedOtherwise(
  event: PriceBookEvent,
  revision: number,
  data: string,
  before: PriceBooks,
): string | undefined {
  if (revision === 0 && event.request_id === SHIPPED_PRICE_BOOK_REQUEST_ID) return undefined;
  const { recorded_at: now, source, fingerprint } = event;
  const earliest = earliestOf(event);
  const prices = event.type === 'PriceBookPublished' ? event.prices : {};
  const request = { ...event, type: 'PriceBookPublishRequested' as const, prices };
  const verdict = decidePriceBook(request, before, { now, source, fingerprint, earliest });
  if (verdict.kind === 'answered') return 'its request was decided before';
  const [again] = verdict.events as [PriceBookEvent];
  if (again.type !== event.type) return `decided again it is a ${again.type}`;
  const expected = encodeEvent(again);
  return expected === data
    ? undefined
    : `decided again it says otherwise: ${difference(expected, data)}`;
}

/**
 * The writer's clock can only move the earliest further out, and only where it refuses: there the event
 * says to when.
 */
function earliestOf(event: PriceBookEvent) {
  const by_broker = instantOf(epochMsOf(event.recorded_at) + MIN_NOTICE_MS);
  const by_clock = event.type === 'PriceBookRejected' ? event.earliest : undefined;
  return laterOf(by_broker, by_clock);
}
