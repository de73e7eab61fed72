import {
  decisionOf,
  InvariantBroken,
  recordedPrices,
  type Decision,
  type Instant,
  type PriceBook,
  type PriceBookEvent,
  type PriceBookPublishRequested,
  type PriceBookRejected,
} from '#libs/contracts';
import { answerAgain, decisionFields, type Context, type Verdict } from './decide.js';

/** A version must be announced this long before it counts, so that every writer has read it. */
export const MIN_NOTICE_MS = 60_000;

/** The fold of a tenant's price-book stream. */
export interface PriceBooks {
  /** Sorted by effective_from; among equal ones the later published counts. */
  readonly versions: PriceBook[];
  /** A price book is published rarely, so its decisions are simply kept. */
  readonly decided: Map<string, Decision>;
  now: Instant | null;
}

export const initialPriceBooks = (): PriceBooks => ({
  versions: [],
  decided: new Map(),
  now: null,
});

/**
 * Folds one event, at its revision on the stream. Owns the books and changes them in place.
 * Throws InvariantBroken when time runs backwards.
 */
export function evolvePriceBooks(
  books: PriceBooks,
  event: PriceBookEvent,
  revision: number,
): PriceBooks {
  if (books.now !== null && event.recorded_at < books.now) {
    throw new InvariantBroken(
      `${event.type} recorded at ${event.recorded_at}, before ${books.now}`,
    );
  }
  books.decided.set(event.request_id, decisionOf(event, revision));
  books.now = event.recorded_at;
  switch (event.type) {
    case 'PriceBookPublished': {
      const { version, effective_from, prices } = event;
      const later = books.versions.findIndex((other) => other.effective_from > effective_from);
      const at = later === -1 ? books.versions.length : later;
      books.versions.splice(at, 0, { version, effective_from, prices });
      return books;
    }
    case 'PriceBookRejected':
      return books;
  }
}

/** The version in force at `now`; undefined before the first, or when none is published. */
export const lastEffectiveAt = (
  { versions }: Pick<PriceBooks, 'versions'>,
  now: Instant,
): PriceBook | undefined => versions.findLast((version) => version.effective_from <= now);

/** The version in force at `now`. Throws InvariantBroken when none is: the shipped one always was. */
export function inForceAt(books: Pick<PriceBooks, 'versions'>, now: Instant): PriceBook {
  const book = lastEffectiveAt(books, now);
  if (!book) throw new InvariantBroken(`no price book is in force at ${now}`);
  return book;
}

/** Context of a price-book decision; `earliest` is `now` plus the notice, worked out by the caller. */
type PublishContext = Omit<Context, 'price_book'> & { readonly earliest: Instant };

export function decidePriceBook(
  request: PriceBookPublishRequested,
  books: PriceBooks,
  context: PublishContext,
): Verdict<PriceBookEvent> {
  const prior = books.decided.get(request.request_id);
  if (prior) return { kind: 'answered', decision: answerAgain(request, prior, context) };
  if (books.versions.some((book) => book.version === request.version)) {
    return rejected(request, context, { reason: 'version_exists' });
  }
  const { earliest } = context;
  if (request.effective_from < earliest) {
    return rejected(request, context, { reason: 'effective_from_too_soon', earliest });
  }
  return {
    kind: 'recorded',
    events: [
      {
        type: 'PriceBookPublished',
        ...decisionFields(request, context),
        account_id: request.account_id,
        version: request.version,
        effective_from: request.effective_from,
        prices: recordedPrices(request.prices),
      },
    ],
  };
}

const rejected = (
  request: PriceBookPublishRequested,
  context: PublishContext,
  why: Pick<PriceBookRejected, 'reason' | 'earliest'>,
): Verdict<PriceBookEvent> => ({
  kind: 'recorded',
  events: [
    {
      type: 'PriceBookRejected',
      ...decisionFields(request, context),
      account_id: request.account_id,
      version: request.version,
      effective_from: request.effective_from,
      ...why,
    },
  ],
});
