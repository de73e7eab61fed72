import {
  fingerprintOf,
  InvariantBroken,
  type Instant,
  type PriceBookPublishRequested,
} from '#libs/contracts';
import { minutes, NOON, PRICES, publish } from '../../../test/ledger/requests.js';
import {
  decidePriceBook,
  evolvePriceBooks,
  inForceAt,
  initialPriceBooks,
  MIN_NOTICE_MS,
  type PriceBooks,
} from './price-books.js';

const contextOf = (request: PriceBookPublishRequested, now: Instant = NOON) => ({
  now,
  earliest: minutes(now === NOON ? 1 : 11),
  source: { topic: 'ledger.requests', partition: 0, offset: 9 },
  fingerprint: fingerprintOf(request),
});

const decideOn = (books: PriceBooks, request: PriceBookPublishRequested, now?: Instant) =>
  decidePriceBook(request, books, contextOf(request, now));

/** The books after these publications, each decided on the books before it. */
function booksAfter(...requests: readonly PriceBookPublishRequested[]): PriceBooks {
  const books = initialPriceBooks();
  for (const [revision, request] of requests.entries()) {
    const verdict = decideOn(books, request);
    if (verdict.kind === 'recorded') evolvePriceBooks(books, verdict.events[0]!, revision);
  }
  return books;
}

const version = (name: string, at: number) =>
  publish({ request_id: `publish-${name}`, version: name, effective_from: minutes(at) });

describe('publishing a version', () => {
  it('records its prices with defaults filled in, sorted by operation', () => {
    const request = publish({
      prices: {
        b: { credits: '3', per: 1_000, rounding: 'half_even', fixed: 2 },
        a: { credits: 1 },
      },
    });
    const verdict = decideOn(initialPriceBooks(), request);
    expect(verdict).toMatchObject({
      kind: 'recorded',
      events: [
        {
          type: 'PriceBookPublished',
          account_id: '$pricebook',
          request_id: 'request',
          version: '2026-04',
          effective_from: minutes(1),
          recorded_at: NOON,
          prices: {
            a: { credits: 1n, per: 1, rounding: 'up' },
            b: { credits: 3n, per: 1_000, rounding: 'half_even', fixed: 2n },
          },
        },
      ],
    });
    const [event] = verdict.kind === 'recorded' ? verdict.events : [];
    expect(event?.type === 'PriceBookPublished' && Object.keys(event.prices)).toEqual(['a', 'b']);
  });

  it('needs a minute of notice: 60 s exactly is enough, a millisecond less is not', () => {
    expect(MIN_NOTICE_MS).toBe(60_000);
    const enough = decideOn(initialPriceBooks(), version('v', 1));
    expect(enough).toMatchObject({ events: [{ type: 'PriceBookPublished' }] });
    const effective_from = '2026-03-10T12:00:59.999Z';
    const late = decideOn(initialPriceBooks(), publish({ effective_from }));
    expect(late).toMatchObject({
      events: [
        {
          type: 'PriceBookRejected',
          reason: 'effective_from_too_soon',
          version: '2026-04',
          effective_from,
          earliest: minutes(1),
        },
      ],
    });
  });

  it('is rejected under a name that exists, whatever its prices, before the notice is looked at', () => {
    const books = booksAfter(version('v', 5));
    const again = publish({ request_id: 'again', version: 'v', effective_from: minutes(-5) });
    expect(decideOn(books, again)).toMatchObject({
      events: [{ type: 'PriceBookRejected', reason: 'version_exists' }],
    });
  });

  it('that was rejected leaves its name free', () => {
    const books = booksAfter(publish({ request_id: 'late', effective_from: minutes(0) }));
    expect(books.versions).toEqual([]);
    expect(decideOn(books, publish())).toMatchObject({ events: [{ version: '2026-04' }] });
  });
});

describe('publishing again', () => {
  it('with the same content repeats the first answer, though its notice has passed', () => {
    const request = version('v', 5);
    const books = booksAfter(request);
    expect(decideOn(books, request, minutes(10))).toEqual({
      kind: 'answered',
      decision: {
        tenant_id: 'acme',
        account_id: '$pricebook',
        request_id: 'publish-v',
        fingerprint: fingerprintOf(request),
        outcome: 'price_book_published',
        credits: 0n,
        price_book_version: 'v',
        revision: 0,
        recorded_at: NOON,
        replayed: true,
      },
    });
  });

  it('repeats a rejection too', () => {
    const request = publish({ effective_from: minutes(0) });
    expect(decideOn(booksAfter(request), request)).toMatchObject({
      kind: 'answered',
      decision: { outcome: 'rejected', reason: 'effective_from_too_soon', replayed: true },
    });
  });

  it('with other content is a conflict', () => {
    const first = version('v', 5);
    const other = publish({ request_id: 'publish-v', version: 'w', effective_from: minutes(5) });
    expect(decideOn(booksAfter(first), other)).toMatchObject({
      kind: 'answered',
      decision: {
        outcome: 'conflict',
        fingerprint: fingerprintOf(other),
        original_fingerprint: fingerprintOf(first),
        revision: 0,
        replayed: false,
      },
    });
  });
});

describe('the version in force', () => {
  const inForce = (books: PriceBooks, at: Instant) => inForceAt(books, at).version;

  it('changes at its very instant', () => {
    const books = booksAfter(version('a', 5), version('b', 7));
    expect(inForce(books, minutes(5))).toBe('a');
    expect(inForce(books, '2026-03-10T12:06:59.999Z' as Instant)).toBe('a');
    expect(inForce(books, minutes(7))).toBe('b');
    expect(inForce(books, minutes(5_000))).toBe('b');
  });

  it('goes by effective_from, not by the order of publication', () => {
    const books = booksAfter(version('b', 7), version('a', 5));
    expect(books.versions.map((book) => book.version)).toEqual(['a', 'b']);
    expect(inForce(books, minutes(6))).toBe('a');
    expect(inForce(books, minutes(7))).toBe('b');
  });

  it('of two from one instant is the later published', () => {
    const books = booksAfter(version('z', 5), version('a', 5), version('c', 9));
    expect(inForce(books, minutes(5))).toBe('a');
  });

  it('falls back on the shipped book, and its absence breaks an invariant', () => {
    const books = booksAfter(version('a', 5));
    const shipped = { versions: [PRICES, ...books.versions] };
    expect(inForceAt(shipped, minutes(4))).toBe(PRICES);
    expect(() => inForceAt(books, minutes(4))).toThrow(InvariantBroken);
  });
});

it('time on the stream of a price book never runs backwards', () => {
  const request = version('v', 20);
  const verdict = decideOn(initialPriceBooks(), request, minutes(10));
  const [event] = verdict.kind === 'recorded' ? verdict.events : [];
  const books = evolvePriceBooks(initialPriceBooks(), event!, 0);
  expect(books.now).toBe(minutes(10));
  expect(() => evolvePriceBooks(books, { ...event!, recorded_at: NOON }, 1)).toThrow(
    InvariantBroken,
  );
});
