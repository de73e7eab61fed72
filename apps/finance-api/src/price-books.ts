import {
  decodePriceBookEvent,
  followLink,
  GENESIS,
  priceBookStream,
  type Instant,
} from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import {
  evolvePriceBooks,
  initialPriceBooks,
  lastEffectiveAt,
  type PriceBooks,
} from '#libs/ledger';

/** A store that is frozen never answers. */
const READ_LIMIT_MS = 5_000;

/** Every version that a tenant has published, from its stream. Rejects with a TimeoutError after 5 s. */
export async function readPriceBooks(store: EventReader, tenant_id: string): Promise<PriceBooks> {
  const books = initialPriceBooks();
  let head = GENESIS;
  const signal = AbortSignal.timeout(READ_LIMIT_MS);
  for await (const page of store.readStream(priceBookStream(tenant_id), { signal })) {
    for (const recorded of page) {
      head = followLink(head, recorded);
      evolvePriceBooks(books, decodePriceBookEvent(recorded.data), recorded.revision);
    }
  }
  return books;
}

/** One version with its prices, and the names of all. Undefined when there is none of that name. */
export function priceBookAt(books: PriceBooks, now: Instant, version: string | undefined) {
  const in_force = lastEffectiveAt(books, now);
  const book =
    version === undefined ? in_force : books.versions.find((one) => one.version === version);
  if (!book) return undefined;
  return {
    ...book,
    in_force: book === in_force,
    versions: books.versions.map(({ version: name, effective_from }) => ({
      version: name,
      effective_from,
    })),
  };
}
