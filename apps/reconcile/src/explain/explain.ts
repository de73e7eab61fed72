import {
  accountKey,
  accountStream,
  chainOf,
  encodeEvent,
  InvariantBroken,
  PRICE_BOOK_ACCOUNT,
} from '#libs/contracts';
import type { EventReader, RecordedEvent } from '#libs/event-store';
import { explain, type Explanation } from '#libs/read-models';
import type { Pool } from 'pg';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { explanationText } from './explanation-text.js';
import { explainPublication } from './publication.js';

interface ExplainedRequest {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly request_id: string;
}

/**
 * Explains a request out of the read models, and holds it against the stream: throws InvariantBroken
 * when the event there is another one.
 */
export async function explainRequest(
  ports: { readonly pool: Pool; readonly store: Pick<EventReader, 'readStream'> },
  { tenant_id, account_id, request_id }: ExplainedRequest,
  out: Output,
): Promise<ExitCode> {
  if (account_id === PRICE_BOOK_ACCOUNT) {
    return explainPublication(ports.store, tenant_id, request_id, out);
  }
  const explanation = await explain(ports.pool, tenant_id, account_id, request_id);
  if (explanation === undefined) {
    throw new NotFound(
      `tenant ${tenant_id}, account ${account_id} has no decision for ${request_id}: ` +
        'not asked, not decided, or not projected yet (see usage-ledger status)',
    );
  }
  const stream = accountStream(accountKey(tenant_id, account_id));
  requireSame(explanation, await eventAt(ports.store, stream, explanation.entry.revision), stream);
  out.report('explanation', { stream, ...explanation }, () => explanationText(explanation, stream));
  return EXIT.fine;
}

async function eventAt(
  store: Pick<EventReader, 'readStream'>,
  stream: string,
  revision: number,
): Promise<RecordedEvent | undefined> {
  for await (const [event] of store.readStream(stream, { from: revision })) return event;
  return undefined;
}

function requireSame(
  { entry }: Explanation,
  recorded: RecordedEvent | undefined,
  stream: string,
): void {
  if (recorded?.data === encodeEvent(entry.event) && chainOf(recorded.meta) === entry.chain) return;
  throw new InvariantBroken(
    `the read models explain it by ${stream}@${entry.revision}, ` +
      `but the stream has ${recorded ? 'another event' : 'nothing'} there: run verify`,
  );
}
