import { decodePriceBookEvent, InvariantBroken, priceBookStream } from '#libs/contracts';
import type { EventReader, RecordedEvent } from '#libs/event-store';
import { evolvePriceBooks, initialPriceBooks, type PriceBooks } from '#libs/ledger';
import { eventText } from '../coordinates.js';
import { publishedOtherwise } from './decide-publication-again.js';
import type { Findings } from './findings.js';

const PRICE_BOOK_STREAM_PREFIX = priceBookStream('');
const BATCH = 2_000;

/** A tenant's price books; undefined when they cannot be read. Throws InvariantBroken for none. */
export type TenantPriceBooks = (tenant_id: string) => PriceBooks | undefined;

/**
 * Folds the price-book streams of all tenants, a few events each, and decides each of them again;
 * `on_batch` sees all of them.
 */
export async function readPriceBooks(
  store: Pick<EventReader, 'readAll'>,
  findings: Findings,
  on_batch: (batch: readonly RecordedEvent[]) => Promise<void>,
): Promise<TenantPriceBooks> {
  const streams = new Map<string, PriceBooks>();
  const broken = new Set<string>();
  const range = { prefix: PRICE_BOOK_STREAM_PREFIX, after: null, batch_size: BATCH };
  for await (const batch of store.readAll(range)) {
    await on_batch(batch);
    for (const { stream, revision, data } of batch) {
      if (broken.has(stream)) continue;
      const books = streams.get(stream) ?? initialPriceBooks();
      streams.set(stream, books);
      try {
        const event = decodePriceBookEvent(data);
        const detail = publishedOtherwise(event, revision, data, books);
        const left = eventText(stream, revision);
        if (detail) findings.add({ check: 'decision_differs', detail, left, right: null });
        evolvePriceBooks(books, event, revision);
      } catch (error) {
        if (!(error instanceof InvariantBroken)) throw error;
        const left = eventText(stream, revision);
        const detail = `${error.message}; the usage of its tenant is not decided again`;
        findings.add({ check: 'fold_broken', detail, left, right: null });
        broken.add(stream);
      }
    }
  }
  return (tenant_id) => {
    const stream = priceBookStream(tenant_id);
    if (broken.has(stream)) return undefined;
    const books = streams.get(stream);
    if (books === undefined) throw new InvariantBroken(`tenant ${tenant_id} has no price book`);
    return books;
  };
}
