import {
  accountKey,
  ContractViolation,
  decodeRequest,
  epochMsOf,
  fingerprintOf,
  MAX_OCCURRED_AT_AHEAD_MS,
  REPLY_TO_HEADER,
  SYSTEM_PREFIX,
  TOPICS,
  type AccountKey,
  type AccountRequest,
  type DeadLetterReason,
  type LedgerRequest,
  type MessageCoordinate,
  type PriceBookPublishRequested,
} from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';

/** Larger messages are not parsed: the largest request, sixteen lines with all metadata, is a tenth. */
export const MAX_REQUEST_BYTES = 256 * 1024;

/** A message that was read as a request. */
export interface IncomingRequest<R extends LedgerRequest = LedgerRequest> {
  readonly message: ReceivedMessage;
  readonly request: R;
  readonly fingerprint: string;
  readonly key: AccountKey;
  readonly source: MessageCoordinate;
  readonly reply_to: string | undefined;
}

/** A message that will never be decided, and why. */
export interface Refusal {
  readonly message: ReceivedMessage;
  readonly reason: DeadLetterReason;
  readonly detail: string;
}

/** To be redriven once the broker's clock is right; nothing may decide it as it is. */
export const refusedAsSetAside = (message: ReceivedMessage): Refusal => ({
  message,
  reason: 'stamped_in_future',
  detail: `the broker stamped it ${message.timestamp}, far ahead of real time`,
});

/** The requests of a batch by account, each account's in order. */
export type RequestsByAccount = Map<AccountKey, readonly IncomingRequest<AccountRequest>[]>;

export interface SortedMessages {
  readonly accounts: readonly IncomingRequest<AccountRequest>[];
  readonly price_books: readonly IncomingRequest<PriceBookPublishRequested>[];
  readonly refused: readonly Refusal[];
}

/** Reads every message of a batch; what cannot be read is refused and does not stop the others. */
export function sortMessages(messages: readonly ReceivedMessage[]): SortedMessages {
  const accounts: IncomingRequest<AccountRequest>[] = [];
  const price_books: IncomingRequest<PriceBookPublishRequested>[] = [];
  const refused: Refusal[] = [];
  for (const message of messages) {
    try {
      const incoming = readMessage(message);
      if (isForPriceBook(incoming)) price_books.push(incoming);
      else accounts.push(incoming as IncomingRequest<AccountRequest>);
    } catch (error) {
      if (!(error instanceof ContractViolation)) throw error;
      refused.push({ message, reason: error.reason, detail: error.message });
    }
  }
  return { accounts, price_books, refused };
}

const isForPriceBook = (
  incoming: IncomingRequest,
): incoming is IncomingRequest<PriceBookPublishRequested> =>
  incoming.request.type === 'PriceBookPublishRequested';

export function byAccount(incoming: readonly IncomingRequest<AccountRequest>[]): RequestsByAccount {
  const queues = new Map<AccountKey, IncomingRequest<AccountRequest>[]>();
  for (const one of incoming) {
    const queue = queues.get(one.key);
    if (queue) queue.push(one);
    else queues.set(one.key, [one]);
  }
  return queues;
}

/** Throws ContractViolation for a message that is no request, or one with the wrong key or topic. */
function readMessage(message: ReceivedMessage): IncomingRequest {
  const { value } = message;
  if (value === null) throw new ContractViolation('undecodable', 'the message has no value');
  if (typeof value !== 'string') throw new ContractViolation('undecodable', 'not UTF-8');
  if (value.length > MAX_REQUEST_BYTES) {
    throw new ContractViolation('too_large', `${value.length} bytes, at most ${MAX_REQUEST_BYTES}`);
  }
  const request = decodeRequest(value, message.timestamp);
  const key = accountKey(request.tenant_id, request.account_id);
  checkPlace(message, request, key);
  return {
    message,
    request,
    key,
    fingerprint: fingerprintOf(request),
    source: { topic: message.topic, partition: message.partition, offset: message.offset },
    reply_to: message.headers[REPLY_TO_HEADER],
  };
}

function checkPlace(message: ReceivedMessage, request: LedgerRequest, key: AccountKey): void {
  if (message.key !== key) {
    throw new ContractViolation('wrong_key', `key ${message.key ?? 'null'}, should be ${key}`);
  }
  // Whoever may publish usage may not mint credits.
  if (message.topic !== TOPICS.requests && request.type !== 'UsageRequested') {
    throw new ContractViolation('wrong_topic', `${request.type} belongs on ${TOPICS.requests}`);
  }
  if (request.type === 'SweepRequested' && !request.request_id.startsWith(SYSTEM_PREFIX)) {
    throw new ContractViolation('invalid_request', `a sweep's id begins with ${SYSTEM_PREFIX}`);
  }
  if (request.occurred_at <= message.timestamp) return;
  const ahead_ms = epochMsOf(request.occurred_at) - epochMsOf(message.timestamp);
  if (ahead_ms > MAX_OCCURRED_AT_AHEAD_MS) {
    throw new ContractViolation(
      'occurred_in_future',
      `occurred_at ${request.occurred_at} is more than 5 minutes after ${message.timestamp}`,
    );
  }
}
