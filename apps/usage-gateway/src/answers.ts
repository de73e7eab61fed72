import {
  fingerprintOf,
  httpStatusOf,
  type Decision,
  type UnsentRequest,
  type Outcome,
  type RejectionReason,
} from '#libs/contracts';
import { jsonText, problemAnswer, problemDetails, type Answer } from '#libs/http';
import type { AcceptedAnswer } from './bodies.js';
import type { Settled } from './gateway.js';
import type { Decided } from './pending-decisions.js';

/** The answer to the request that was settled at this place of its call. */
export function settledAnswer(request: UnsentRequest, settled: Settled, index: number): Answer {
  const decided = settled.decided[index];
  if (decided) return decisionAnswer(decided);
  return settled.durable ? acceptedAnswer(request) : unknownAnswer(request.request_id);
}

/**
 * The decision as the writer wrote it. A replay repeats status and body, and says so: by the
 * header, and by `replayed`, the one member that differs.
 */
function decisionAnswer({ decision, json }: Decided): Answer {
  const status = httpStatusOf(decision);
  const headers = decision.replayed ? REPLAYED : {};
  if (status < 400) return { status, headers, json };
  const code = decision.reason ?? decision.outcome;
  const details = problemDetails<RejectionReason | Outcome>(
    status,
    code,
    detailOf(decision),
    decision,
  );
  return problemAnswer(details, headers);
}

const REPLAYED = { 'idempotent-replayed': 'true' };

/** What is wrong and what the caller can do, in one sentence. */
function detailOf(decision: Decision): string {
  const { operation, price, shortfall, price_book_version: version } = decision;
  if (decision.outcome === 'conflict') {
    return 'this request_id was used before with other content; nothing was charged';
  }
  switch (decision.reason) {
    case 'insufficient_credits':
      return `it costs ${price} credits and ${shortfall} of them are missing`;
    case 'unknown_operation':
      return `price book ${version} has no price for ${operation}`;
    case 'price_too_large':
      return 'it costs more than one request may';
    case 'already_expired':
      return 'expires_at is not after the moment from which the grant would count';
    case 'too_many_open_grants':
      return 'the account has as many open grants as it may have';
    case 'version_exists':
      return 'the price book has this version already; choose a new name';
    case 'effective_from_too_soon':
      return 'effective_from must be at least 60 s ahead';
    case undefined:
      return 'it was rejected';
  }
}

/** Durable, and not decided within the wait. */
function acceptedAnswer(request: UnsentRequest): Answer {
  const { account_id, request_id } = request;
  const fingerprint = fingerprintOf(request);
  const body: AcceptedAnswer = { status: 'accepted', account_id, request_id, fingerprint };
  return { status: 202, headers: { location: locationOf(request) }, json: jsonText(body) };
}

function locationOf(request: UnsentRequest): string {
  // Not its version: rejected, there is none, or another request has published it.
  if (request.type === 'PriceBookPublishRequested') {
    return `/v1/price-book/requests/${request.request_id}`;
  }
  return `/v1/accounts/${request.account_id}/requests/${request.request_id}`;
}

/** Nobody knows whether it was made durable: to repeat it is right, and safe. */
const unknownAnswer = (request_id: string): Answer =>
  problemAnswer(
    problemDetails(
      503,
      'not_known_to_be_accepted',
      'whether it was accepted is unknown: repeat it with the same request_id',
      { request_id },
    ),
    { 'retry-after': String(RETRY_AFTER_SECONDS) },
  );

export const RETRY_AFTER_SECONDS = 1;
