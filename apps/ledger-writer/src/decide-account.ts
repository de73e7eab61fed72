import {
  accountStream,
  encodeEvent,
  InvariantBroken,
  laterOf,
  linkEvent,
  type AccountEvent,
  type AccountRequest,
  type Decision,
  type Instant,
  type LinkedEvent,
  type PriceBook,
} from '#libs/contracts';
import type { StreamAppend } from '#libs/event-store';
import { decide, evolve } from '#libs/ledger';
import type { ReceivedMessage } from '#libs/message-bus';
import { refusedAsSetAside, type IncomingRequest, type Refusal } from './incoming-requests.js';
import { keepAnswer, type KnownAccount, type OpenAccount } from './known-account.js';
import { PriceBooksBroken } from './price-book-cache.js';
import type { Index } from './read-side.js';

export interface Answer {
  readonly incoming: IncomingRequest;
  readonly decision: Decision;
}

/** What was decided on one account: at most one append, and the answers that hold once it is written. */
export interface AccountDecisions {
  readonly account: OpenAccount;
  readonly append: StreamAppend;
  /** To the first of the account's requests, in their order, but for those refused among them. */
  readonly answers: readonly Answer[];
  /** What was set aside, and usage whose tenant's price books are damaged. */
  readonly refused: readonly Refusal[];
  /** How the account contradicted itself on its next request; nothing after that was decided. */
  readonly broken: InvariantBroken | undefined;
}

export interface DecisionContext {
  readonly index: Index;
  /** Not decided, unless that was done before. */
  readonly set_aside: ReadonlySet<ReceivedMessage>;
  readonly limits: { readonly max_events: number; readonly max_bytes: number };
  /** Asked for usage that is decided for the first time, and for nothing else. */
  readonly price_book_at: (tenant_id: string, now: Instant) => PriceBook;
}

/**
 * Decides the account's requests in their order until all are done or the append is full. A request's
 * own events stay in one append; only what merely fell due, more than one append holds, may go ahead.
 */
export function decideAccount(account: OpenAccount, context: DecisionContext): AccountDecisions {
  const { known } = account;
  const expected_revision = known.head.revision;
  const events: LinkedEvent[] = [];
  const answers: Answer[] = [];
  const refused: Refusal[] = [];
  let bytes = 0;
  let broken: InvariantBroken | undefined;
  for (const incoming of account.pending) {
    try {
      const prior = priorOf(known, incoming, context.index);
      if (!prior && context.set_aside.has(incoming.message)) {
        refused.push(refusedAsSetAside(incoming.message));
        continue;
      }
      const decided = decideOne(known, incoming, prior, context);
      if (decided.kind === 'answered') {
        answers.push({ incoming, decision: decided.decision });
        continue;
      }
      const room = context.limits.max_events - events.length;
      const encoded = encodeAll(decided.events);
      const fits =
        encoded.events.length <= room && bytes + encoded.bytes <= context.limits.max_bytes;
      if (!fits && events.length > 0) break;
      const part = fits ? encoded.events : encoded.events.slice(0, room);
      let decision: Decision | undefined;
      for (const { event, data } of part) {
        const linked = linkEvent(known.head, event.type, data);
        evolve(known.account, event);
        known.head = linked.head;
        decision = keepAnswer(known, event);
        events.push(linked.event);
      }
      bytes += encoded.bytes;
      if (!fits) break;
      answers.push({ incoming, decision: decision ?? sweptDecision(known, incoming) });
    } catch (error) {
      if (error instanceof PriceBooksBroken) {
        refused.push(refusedAsUnpriced(incoming, error));
        continue;
      }
      if (!(error instanceof InvariantBroken)) throw error;
      broken = error;
      break;
    }
  }
  const append = { stream: accountStream(known.key), expected_revision, events };
  return { account, append, answers, refused, broken };
}

/** To be redriven once its tenant's price books are repaired; everything else goes on meanwhile. */
export const refusedAsUnpriced = (
  { message }: IncomingRequest,
  { message: detail }: PriceBooksBroken,
): Refusal => ({ message, reason: 'unprocessable', detail });

/** Usage alone is priced, and only once. */
const NO_PRICES = { version: '', effective_from: '', prices: {} } as never;

/** How it was decided before. Throws InvariantBroken when what is kept of it contradicts itself. */
function priorOf(
  known: KnownAccount,
  incoming: IncomingRequest<AccountRequest>,
  index: Index,
): Decision | undefined {
  const prior = known.answers.get(incoming.request.request_id) ?? index.get(incoming);
  if (prior instanceof InvariantBroken) throw prior;
  return prior;
}

/** Throws InvariantBroken when the account contradicts itself. */
function decideOne(
  known: KnownAccount,
  incoming: IncomingRequest<AccountRequest>,
  prior: Decision | undefined,
  context: DecisionContext,
) {
  const { request, fingerprint, source, message } = incoming;
  const now = laterOf(message.timestamp, known.account.now);
  const is_priced = !prior && request.type === 'UsageRequested';
  const price_book = is_priced ? context.price_book_at(request.tenant_id, now) : NO_PRICES;
  return decide(request, known.account, prior, { now, fingerprint, source, price_book });
}

function encodeAll(decided: readonly AccountEvent[]) {
  let bytes = 0;
  const events = decided.map((event) => {
    const data = encodeEvent(event);
    bytes += Buffer.byteLength(data);
    return { event, data };
  });
  return { events, bytes };
}

/** A sweep leaves no event of its own: what fell due is the answer. */
const sweptDecision = (
  known: KnownAccount,
  { request, fingerprint }: IncomingRequest<AccountRequest>,
): Decision => ({
  tenant_id: request.tenant_id,
  account_id: request.account_id,
  request_id: request.request_id,
  fingerprint,
  outcome: 'expired',
  credits: 0n,
  balance_after: { available: known.account.available, reserved: known.account.reserved },
  revision: known.head.revision,
  recorded_at: known.account.now!,
  replayed: false,
});
