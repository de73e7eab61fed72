import {
  encodeEvent,
  decodePriceBookEvent,
  EVENT_SCHEMA,
  followLink,
  GENESIS,
  instantOf,
  InvariantBroken,
  linkEvent,
  PRICE_BOOK_ACCOUNT,
  priceBookStream,
  SHIPPED_PRICE_BOOK_REQUEST_ID,
  WrittenByNewer,
  type Instant,
  type PriceBook,
  type PriceBookPublished,
  type StreamHead,
  type TenantId,
} from '#libs/contracts';
import type { EventAppender, EventReader } from '#libs/event-store';
import { evolvePriceBooks, inForceAt, initialPriceBooks, type PriceBooks } from '#libs/ledger';
import { systemClock } from '#libs/platform';

/**
 * A stream whose reading began at R holds every version that takes effect before R plus this, and prices
 * nothing that is later: what two writers know of a price may differ, what they do with it may not.
 */
export const KNOWN_FOR_MS = 20_000;
/** By so much may the clocks of two writers differ. */
export const CLOCKS_DIFFER_MS = 10_000;
/**
 * A stream is read again when its last read is this old: early enough to price what a broker stamps that
 * is as much ahead as clocks may differ.
 */
const REFRESH_AFTER_MS = KNOWN_FOR_MS - CLOCKS_DIFFER_MS;
/** Streams read at once. */
const MAX_READS = 16;

/** A tenant's stream contradicts itself: its usage cannot be priced, and no account is to blame. */
export class PriceBooksBroken extends Error {
  override readonly name = 'PriceBooksBroken';
  constructor(tenant_id: string, cause: InvariantBroken) {
    super(`the price books of ${tenant_id}: ${cause.message}`, { cause });
  }
}

export interface CachedPriceBooks {
  readonly books: PriceBooks;
  head: StreamHead;
  /** When its last good read began, by this writer's clock; undefined to have it read again. */
  read_at_ms: number | undefined;
  /** Every version that takes effect before this is known; undefined before the first good read. */
  known_before: Instant | undefined;
  /** Why the last read failed. */
  failure: unknown;
}

/** The price books of every tenant in use, read from their streams. */
export class PriceBookCache {
  readonly #tenants = new Map<string, CachedPriceBooks>();
  readonly #reading = new Map<string, Promise<CachedPriceBooks>>();

  constructor(
    private readonly store: EventAppender & EventReader,
    private readonly shipped: PriceBook,
    /** Wall clock in epoch milliseconds: it decides no price, only whether one is known yet. */
    private readonly clock: () => number = systemClock,
  ) {}

  /**
   * Reads what is due. Throws when a tenant's books were never read and cannot be, and when a book is there
   * that a newer version wrote. Any other failure is left to `at`: not all requests need a price.
   */
  async refresh(tenants: Iterable<string>, signal?: AbortSignal): Promise<void> {
    const due = [...tenants].filter((tenant_id) => this.#isDue(tenant_id)).values();
    const readOneByOne = async () => {
      for (const tenant_id of due) await this.#refresh(tenant_id, signal);
    };
    await Promise.all(Array.from({ length: MAX_READS }, readOneByOne));
  }

  async #refresh(tenant_id: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.read(tenant_id, signal);
    } catch (error) {
      if (error instanceof WrittenByNewer) throw error;
      if (error instanceof PriceBooksBroken) return;
      if (this.#tenants.get(tenant_id)!.known_before === undefined) throw error;
    }
  }

  #isDue(tenant_id: string): boolean {
    const read_at_ms = this.#tenants.get(tenant_id)?.read_at_ms;
    if (read_at_ms === undefined) return true;
    const age_ms = this.clock() - read_at_ms;
    // Below zero once the clock was set back.
    return age_ms < 0 || age_ms > REFRESH_AFTER_MS;
  }

  /**
   * The version in force at `now`, for a tenant whose books were refreshed. Throws PriceBooksBroken when
   * they cannot be read, and an Error when a version may take effect by `now` that is not known yet: the
   * batch has to wait.
   */
  at(tenant_id: string, now: Instant): PriceBook {
    const cached = this.#tenants.get(tenant_id)!;
    const { books, known_before, failure } = cached;
    if (failure instanceof PriceBooksBroken) throw failure;
    if (known_before === undefined || now >= known_before) {
      // A newer read may be enough.
      cached.read_at_ms = undefined;
      throw new Error(
        `usage of ${tenant_id} at ${now} cannot be priced yet: its prices are known before ` +
          `${known_before} only; check the clocks of broker and writer`,
        { cause: failure },
      );
    }
    try {
      return inForceAt(books, now);
    } catch (error) {
      throw brokenBooks(tenant_id, error);
    }
  }

  /**
   * Reads what was appended since; a tenant without a book gets the shipped one first. Whoever asks
   * meanwhile shares this read, and fails with it when the signal of the first one aborts. Throws
   * PriceBooksBroken when the stream contradicts itself.
   */
  async read(tenant_id: string, signal?: AbortSignal): Promise<CachedPriceBooks> {
    const reading = this.#reading.get(tenant_id) ?? this.#read(tenant_id, signal);
    this.#reading.set(tenant_id, reading);
    return reading.finally(() => this.#reading.delete(tenant_id));
  }

  async #read(tenant_id: string, signal: AbortSignal | undefined): Promise<CachedPriceBooks> {
    const cached = this.#tenants.get(tenant_id) ?? neverRead();
    this.#tenants.set(tenant_id, cached);
    // Before the read: what is appended while it runs may be missing from it.
    const read_at_ms = this.clock();
    try {
      await this.#follow(tenant_id, cached, signal);
      if (cached.head.revision < 0) {
        await this.#publishShipped(tenant_id);
        await this.#follow(tenant_id, cached, signal);
        if (cached.head.revision < 0) throw new Error(`${tenant_id} has no price book yet`);
      }
    } catch (error) {
      cached.read_at_ms = undefined;
      cached.failure = brokenBooks(tenant_id, error);
      throw cached.failure;
    }
    cached.read_at_ms = read_at_ms;
    cached.known_before = instantOf(read_at_ms + KNOWN_FOR_MS);
    cached.failure = undefined;
    return cached;
  }

  async #follow(
    tenant_id: string,
    cached: CachedPriceBooks,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const stream = priceBookStream(tenant_id);
    const range = { from: cached.head.revision + 1, ...(signal && { signal }) };
    for await (const page of this.store.readStream(stream, range)) {
      for (const recorded of page) {
        const head = followLink(cached.head, recorded);
        evolvePriceBooks(cached.books, decodePriceBookEvent(recorded.data), recorded.revision);
        // Set last: an event that cannot be read is read again next time, never skipped.
        cached.head = head;
      }
    }
  }

  /** Two writers that do this at once append the same bytes, hence the same ids: both are right. */
  async #publishShipped(tenant_id: string): Promise<void> {
    const event = shippedEvent(tenant_id as TenantId, this.shipped);
    const linked = linkEvent(GENESIS, event.type, encodeEvent(event));
    const stream = priceBookStream(tenant_id);
    await this.store.appendMany([{ stream, expected_revision: -1, events: [linked.event] }]);
  }
}

const neverRead = (): CachedPriceBooks => ({
  books: initialPriceBooks(),
  head: GENESIS,
  read_at_ms: undefined,
  known_before: undefined,
  failure: undefined,
});

/** What contradicts itself, as the fault of a tenant's books; what a newer version wrote does not. */
const brokenBooks = (tenant_id: string, error: unknown): unknown =>
  error instanceof InvariantBroken && !(error instanceof WrittenByNewer)
    ? new PriceBooksBroken(tenant_id, error)
    : error;

const shippedEvent = (tenant_id: TenantId, book: PriceBook): PriceBookPublished => ({
  type: 'PriceBookPublished',
  schema: EVENT_SCHEMA,
  tenant_id,
  account_id: PRICE_BOOK_ACCOUNT as PriceBookPublished['account_id'],
  request_id: SHIPPED_PRICE_BOOK_REQUEST_ID,
  fingerprint: '',
  occurred_at: book.effective_from,
  recorded_at: book.effective_from,
  source: { topic: 'shipped', partition: 0, offset: 0 },
  ...book,
});
