import {
  decisionOf,
  decodePriceBookEvent,
  followLink,
  GENESIS,
  priceBookStream,
} from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { publicationText } from './explanation-text.js';

/**
 * Explains what became of a publication, out of the tenant's price-book stream: it is short, and in no
 * read model. Throws InvariantBroken where its chain is broken.
 */
export async function explainPublication(
  store: Pick<EventReader, 'readStream'>,
  tenant_id: string,
  request_id: string,
  out: Output,
): Promise<ExitCode> {
  const stream = priceBookStream(tenant_id);
  let head = GENESIS;
  for await (const page of store.readStream(stream)) {
    for (const recorded of page) {
      head = followLink(head, recorded);
      const event = decodePriceBookEvent(recorded.data);
      if (event.request_id !== request_id) continue;
      const { revision, chain } = head;
      const decision = decisionOf(event, revision);
      out.report('explanation', { stream, entry: { revision, chain, event }, decision }, () =>
        publicationText({ event, revision, chain }, stream),
      );
      return EXIT.fine;
    }
  }
  throw new NotFound(
    `tenant ${tenant_id} has no decision for the publication ${request_id}: ` +
      'not asked, or not decided yet (usage-ledger status tells)',
  );
}
