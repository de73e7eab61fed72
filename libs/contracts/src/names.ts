import { SYSTEM_PREFIX, type AccountKey, type RequestId } from './identifiers.js';

/** Topics of the message bus. `usage` and `requests` have the same number of partitions for life. */
export const TOPICS = {
  /** Usage straight from product services. */
  usage: 'ledger.usage',
  /** Every request type; only the gateway may produce here. */
  requests: 'ledger.requests',
  /** What was decided; a waiting gateway answers its caller from it. */
  decisions: 'ledger.decisions',
  dead_letters: 'ledger.dead-letters',
} as const;
export type Topic = (typeof TOPICS)[keyof typeof TOPICS];

export const REQUEST_TOPICS = [TOPICS.usage, TOPICS.requests] as const;

/** Consumer groups. */
export const GROUPS = { writer: 'ledger-writer', dead_letters: 'dead-letter-filer' } as const;

/** Which gateway instance waits for the decision; copied from request to decision. */
export const REPLY_TO_HEADER = 'reply_to';

export const ACCOUNT_STREAM_PREFIX = 'account-';
const PRICE_BOOK_STREAM_PREFIX = 'pricebook-';

/** Not a legal account id, so no account can collide with the price book's message key. */
export const PRICE_BOOK_ACCOUNT = '$pricebook';

/** Of a tenant's first price book, which nobody asks for: the writer brings it along. */
export const SHIPPED_PRICE_BOOK_REQUEST_ID = `${SYSTEM_PREFIX}shipped-price-book` as RequestId;

export const accountStream = (key: AccountKey): string => ACCOUNT_STREAM_PREFIX + key;
export const accountKeyOfStream = (stream: string): AccountKey =>
  stream.slice(ACCOUNT_STREAM_PREFIX.length) as AccountKey;
export const priceBookStream = (tenant_id: string): string => PRICE_BOOK_STREAM_PREFIX + tenant_id;
