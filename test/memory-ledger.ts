import {
  decisionOf,
  decodeRequest,
  encodeDecision,
  epochMsOf,
  fingerprintOf,
  GROUPS,
  instantOf,
  InvariantBroken,
  REPLY_TO_HEADER,
  recordedPrices,
  REQUEST_TOPICS,
  TOPICS,
  type AccountRequest,
  type Decision,
  type LedgerRequest,
  type PriceBook,
  type PriceBookPublishRequested,
} from '#libs/contracts';
import {
  decide,
  decidePriceBook,
  evolve,
  evolvePriceBooks,
  inForceAt,
  initialAccount,
  initialPriceBooks,
  MIN_NOTICE_MS,
  type Account,
} from '#libs/ledger';
import { memoryMessageBus, type MessageBus, type ReceivedMessage } from '#libs/message-bus';

const STARTING_BOOK: PriceBook = {
  version: 'start' as PriceBook['version'],
  effective_from: instantOf(0),
  prices: recordedPrices({
    'text.generation': { credits: 1n },
    'image.generation': { credits: 20n },
    'video.generation': { credits: 100n },
    'gold.plating': { credits: 1_000_000_000_000_000n },
  }),
};

export interface MemoryLedger {
  readonly bus: MessageBus;
  /** Messages that were decided, in their order. */
  readonly taken: readonly ReceivedMessage[];
  /** Decides nothing until the returned function is called. */
  pause(): () => void;
  close(): Promise<void>;
}

/** The memory bus with the real domain behind it: decides as the writer does, keeps all in memory. */
export async function startMemoryLedger(): Promise<MemoryLedger> {
  const bus = memoryMessageBus({ topics: Object.values(TOPICS), partitions: 4 });
  const taken: ReceivedMessage[] = [];
  const decideRequest = createLedger();
  let open = Promise.resolve();
  const consumer = await bus.consume({
    group: GROUPS.writer,
    topics: REQUEST_TOPICS,
    max_batch: 100,
    async handler(messages) {
      await open;
      for (const message of messages) {
        taken.push(message);
        const decision = decideRequest(
          decodeRequest(String(message.value), message.timestamp),
          message,
        );
        const { key, headers } = message;
        const reply_to = headers[REPLY_TO_HEADER];
        await bus.publish(TOPICS.decisions, [
          {
            key,
            value: encodeDecision(decision),
            ...(reply_to !== undefined && { headers: { [REPLY_TO_HEADER]: reply_to } }),
          },
        ]);
      }
    },
  });
  return {
    bus,
    taken,
    pause() {
      let go = () => {};
      open = new Promise((resolve) => (go = resolve));
      return go;
    },
    async close() {
      await consumer.close();
      await bus.close();
    },
  };
}

interface Known {
  readonly account: Account;
  readonly decided: Map<string, Decision>;
  revision: number;
}

function createLedger() {
  const accounts = new Map<string, Known>();
  const books = initialPriceBooks();
  books.versions.push(STARTING_BOOK);

  function decideAccount(request: AccountRequest, message: ReceivedMessage): Decision {
    const { tenant_id, account_id, request_id } = request;
    const known = accounts.get(message.key!) ?? {
      account: initialAccount(tenant_id, account_id),
      decided: new Map<string, Decision>(),
      revision: -1,
    };
    accounts.set(message.key!, known);
    const context = contextOf(request, message);
    const prior = known.decided.get(request_id);
    const price_book = inForceAt(books, context.now);
    const verdict = decide(request, known.account, prior, { ...context, price_book });
    if (verdict.kind === 'answered') return verdict.decision;
    let decision: Decision | undefined;
    for (const event of verdict.events) {
      evolve(known.account, event);
      known.revision += 1;
      if ('request_id' in event) decision = decisionOf(event, known.revision);
    }
    if (!decision) throw new InvariantBroken('nothing was decided');
    known.decided.set(request_id, decision);
    return decision;
  }

  function decideBook(request: PriceBookPublishRequested, message: ReceivedMessage): Decision {
    const context = contextOf(request, message);
    const earliest = instantOf(epochMsOf(context.now) + MIN_NOTICE_MS);
    const verdict = decidePriceBook(request, books, { ...context, earliest });
    if (verdict.kind === 'answered') return verdict.decision;
    const [event] = verdict.events;
    evolvePriceBooks(books, event!, books.decided.size);
    return books.decided.get(request.request_id)!;
  }

  return (request: LedgerRequest, message: ReceivedMessage): Decision =>
    request.type === 'PriceBookPublishRequested'
      ? decideBook(request, message)
      : decideAccount(request, message);
}

const contextOf = (request: LedgerRequest, { timestamp, ...source }: ReceivedMessage) => ({
  now: timestamp,
  source: { topic: source.topic, partition: source.partition, offset: source.offset },
  fingerprint: fingerprintOf(request),
});
