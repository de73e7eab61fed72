import {
  decisionOf,
  encodeEvent,
  epochMsOf,
  instantOf,
  laterOf,
  linkEvent,
  priceBookStream,
  type PriceBookEvent,
  type PriceBookPublishRequested,
} from '#libs/contracts';
import type { EventAppender } from '#libs/event-store';
import { decidePriceBook, MIN_NOTICE_MS } from '#libs/ledger';
import type { BatchControl } from '#libs/message-bus';
import { appendUntilDefinite } from './appending.js';
import type { Answer } from './decide-account.js';
import type { IncomingRequest } from './incoming-requests.js';
import type { Pause } from './pause.js';
import { CLOCKS_DIFFER_MS, KNOWN_FOR_MS, type PriceBookCache } from './price-book-cache.js';

/** An append is assumed to be written within this time of being sent, or never. */
const APPEND_MS = 15_000;
/**
 * One without an answer is not repeated when the version takes effect sooner than this: what another
 * writer has read without it may know prices until then.
 */
const LAST_REPEAT_MS = KNOWN_FOR_MS + CLOCKS_DIFFER_MS + APPEND_MS;

/**
 * Decides one publication of a price book and appends the decision; on a conflict it reads the stream and
 * tries again. The notice counts from now, not from when it was asked for: usage may have been stamped and
 * decided meanwhile. The clock can only refuse, it prices nothing. Throws when it is not known to be
 * written and its notice runs out: it is decided anew, which either finds it or refuses it where it would
 * have been written. Undefined for one that was set aside, unless it was decided before.
 */
export async function publishPriceBook(
  incoming: IncomingRequest<PriceBookPublishRequested>,
  ports: {
    readonly price_books: PriceBookCache;
    readonly store: EventAppender;
    readonly clock: () => number;
    readonly pause: Pause;
  },
  control: BatchControl,
  is_set_aside: boolean,
): Promise<Answer | undefined> {
  const { request, fingerprint, source, message } = incoming;
  for (;;) {
    await control.heartbeat();
    const { books, head } = await ports.price_books.read(request.tenant_id, control.signal);
    const now = laterOf(message.timestamp, books.now);
    const earliest = instantOf(Math.max(epochMsOf(now), ports.clock()) + MIN_NOTICE_MS);
    const verdict = decidePriceBook(request, books, { now, fingerprint, source, earliest });
    if (verdict.kind === 'answered') return { incoming, decision: verdict.decision };
    if (is_set_aside) return undefined;
    const [event] = verdict.events as [PriceBookEvent];
    const linked = linkEvent(head, event.type, encodeEvent(event));
    const stream = priceBookStream(request.tenant_id);
    const append = { stream, expected_revision: head.revision, events: [linked.event] };
    const [result] = await appendUntilDefinite(ports, [append], whileInTime(event, ports, control));
    // Overtaken by another publication: read the stream and decide again.
    if (result!.kind === 'conflict') continue;
    return { incoming, decision: decisionOf(event, linked.head.revision) };
  }
}

/** Its heartbeat, which precedes each repeat, fails once the version takes effect too soon for one. */
function whileInTime(
  event: PriceBookEvent,
  { clock }: { readonly clock: () => number },
  control: BatchControl,
): BatchControl {
  if (event.type !== 'PriceBookPublished') return control;
  const last_ms = epochMsOf(event.effective_from) - LAST_REPEAT_MS;
  return {
    signal: control.signal,
    async heartbeat() {
      await control.heartbeat();
      if (clock() <= last_ms) return;
      throw new Error(
        `price book ${event.version} is not known to be written, and its notice runs out`,
      );
    },
  };
}
