import {
  encodeEvent,
  decodePriceBookEvent,
  EVENT_SCHEMA,
  followLink,
  GENESIS,
  InvariantBroken,
  linkEvent,
  PRICE_BOOK_ACCOUNT,
  priceBookStream,
  SHIPPED_PRICE_BOOK_REQUEST_ID,
  type Instant,
  type PriceBook,
  type PriceBookPublished,
  type StreamHead,
  type TenantId,
} from '#libs/contracts';
import type { EventAppender, EventReader } from '#libs/event-store';
import { evolvePriceBooks, inForceAt, initialPriceBooks, type PriceBooks } from '#libs/ledger';

/** A stream is read again when its last read is this old ... */
const REFRESH_AFTER_MS = 10_000;
/** ... and nothing is decided on one that is older than this: two writers never price differently. */
export const STALE_AFTER_MS = 30_000;

export interface CachedPriceBooks {
  books: PriceBooks;
  head: StreamHead;
  read_at_ms: number;
}

/** The price books of every tenant in use, read from their streams. */
export class PriceBookCache {
  readonly #tenants = new Map<string, CachedPriceBooks>();
  readonly #reading = new Map<string, Promise<CachedPriceBooks>>();

  constructor(
    private readonly store: EventAppender & EventReader,
    private readonly shipped: PriceBook,
    /** Monotonic milliseconds. */
    private readonly elapsed: () => number = () => performance.now(),
  ) {}

  /**
   * Throws when a tenant's books cannot be read and the last read is too old to price with, and at once
   * when a book is there that this version cannot read.
   */
  async refresh(tenants: Iterable<string>, signal?: AbortSignal): Promise<void> {
    for (const tenant_id of tenants) {
      const cached = this.#tenants.get(tenant_id);
      const age_ms = cached ? this.elapsed() - cached.read_at_ms : Infinity;
      if (age_ms <= REFRESH_AFTER_MS) continue;
      try {
        await this.read(tenant_id, signal);
      } catch (error) {
        if (error instanceof InvariantBroken || age_ms > STALE_AFTER_MS) throw error;
      }
    }
  }

  /** The version in force for a tenant whose books were refreshed. */
  at(tenant_id: string, now: Instant): PriceBook {
    return inForceAt(this.#tenants.get(tenant_id)!.books, now);
  }

  /**
   * Reads what was appended since; a tenant without a book gets the shipped one first. Whoever asks
   * meanwhile shares this read, and fails with it when the signal of the first one aborts.
   */
  async read(tenant_id: string, signal?: AbortSignal): Promise<CachedPriceBooks> {
    const reading = this.#reading.get(tenant_id) ?? this.#read(tenant_id, signal);
    this.#reading.set(tenant_id, reading);
    return reading.finally(() => this.#reading.delete(tenant_id));
  }

  async #read(tenant_id: string, signal: AbortSignal | undefined): Promise<CachedPriceBooks> {
    const cached = this.#tenants.get(tenant_id) ?? {
      books: initialPriceBooks(),
      head: GENESIS,
      read_at_ms: -Infinity,
    };
    const read_at_ms = this.elapsed();
    await this.#follow(tenant_id, cached, signal);
    if (cached.head.revision < 0) {
      await this.#publishShipped(tenant_id);
      await this.#follow(tenant_id, cached, signal);
      if (cached.head.revision < 0) throw new Error(`${tenant_id} has no price book yet`);
    }
    cached.read_at_ms = read_at_ms;
    this.#tenants.set(tenant_id, cached);
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
