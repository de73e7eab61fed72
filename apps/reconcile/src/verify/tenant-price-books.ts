import { decodePriceBookEvent, InvariantBroken, priceBookStream } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { evolvePriceBooks, initialPriceBooks, type PriceBooks } from '#libs/ledger';
import { eventText } from './coordinates.js';
import type { Findings } from './findings.js';

export const PRICE_BOOK_STREAM_PREFIX = priceBookStream('');
const BATCH = 2_000;

/** A tenant's price books. Throws InvariantBroken when it has none. */
export type TenantPriceBooks = (tenant_id: string) => PriceBooks;

/** Folds the price-book streams of all tenants: a few events each. */
export async function readPriceBooks(
  store: Pick<EventReader, 'readAll'>,
  findings: Findings,
): Promise<TenantPriceBooks> {
  const streams = new Map<string, PriceBooks>();
  const broken = new Set<string>();
  const range = { prefix: PRICE_BOOK_STREAM_PREFIX, after: null, batch_size: BATCH };
  for await (const batch of store.readAll(range)) {
    for (const { stream, revision, data } of batch) {
      if (broken.has(stream)) continue;
      const books = streams.get(stream) ?? initialPriceBooks();
      streams.set(stream, books);
      try {
        evolvePriceBooks(books, decodePriceBookEvent(data), revision);
      } catch (error) {
        if (!(error instanceof InvariantBroken)) throw error;
        const left = eventText(stream, revision);
        findings.add({ check: 'fold_broken', detail: error.message, left, right: null });
        broken.add(stream);
      }
    }
  }
  return (tenant_id) => {
    const books = streams.get(priceBookStream(tenant_id));
    if (books === undefined) throw new InvariantBroken(`tenant ${tenant_id} has no price book`);
    return books;
  };
}
