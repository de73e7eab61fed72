import type { DeadLetterReason, MessageCoordinate } from '#libs/contracts';
import { coordinateText } from '../coordinates.js';
import type { Mismatch } from './findings.js';

/** The decision that a request id has, wherever it came from. */
export interface FoundDecision {
  readonly source: MessageCoordinate;
  readonly fingerprint: string;
  readonly occurred_at: string;
  /** `stream@revision`. */
  readonly place: string;
  /** Its bytes, of those decisions whose terms are compared with their request. */
  readonly compared?: string;
}

/** A message on a request topic. */
export interface ReadRequest {
  readonly coordinate: MessageCoordinate;
  /** What it asks; undefined when it cannot be read as a request that may stand there. */
  readonly request:
    | { readonly type: string; readonly fingerprint: string; readonly occurred_at: string }
    | undefined;
  /** The writer's group has passed it. */
  readonly committed: boolean;
}

export const REQUEST_OUTCOMES = [
  'decided',
  'replayed',
  'conflict',
  'nothing_due',
  'dead_letter',
  'in_flight',
] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

/** What became of a message; exactly one outcome, or what is wrong with it. */
export function requestOutcome(
  { coordinate, request, committed }: ReadRequest,
  found: FoundDecision | undefined,
  dead_letter: DeadLetterReason | undefined,
): RequestOutcome | Mismatch {
  const left = coordinateText(coordinate);
  const wrong = (check: Mismatch['check'], detail: string): Mismatch => ({
    check,
    detail,
    left,
    right: found?.place ?? null,
  });
  if (request && found && isSame(found.source, coordinate)) {
    if (found.fingerprint !== request.fingerprint) {
      return wrong('fingerprint_differs', 'the decision is of other content than its message');
    }
    if (found.occurred_at !== request.occurred_at) {
      return wrong(
        'occurred_at_differs',
        `decided as of ${found.occurred_at}, asked ${request.occurred_at}`,
      );
    }
    // Delivered again after its account was parked, it is refused although it was decided.
    if (dead_letter === undefined || dead_letter === 'account_parked') return 'decided';
    return wrong('decided_and_dead_lettered', `decided, and a dead letter (${dead_letter})`);
  }
  if (dead_letter !== undefined) return dead_letter === 'conflict' ? 'conflict' : 'dead_letter';
  if (!committed && !found) return 'in_flight';
  if (request === undefined) {
    return committed
      ? wrong('request_lost', 'unreadable, passed, and no dead letter')
      : 'in_flight';
  }
  if (found && found.fingerprint !== request.fingerprint) {
    if (!committed) return 'in_flight';
    return wrong('conflict_not_dead_lettered', 'its id was decided with other content');
  }
  if (found && committed && isLater(found.source, coordinate)) {
    return wrong('request_skipped', 'passed undecided; a later message of its id was decided');
  }
  if (found) return 'replayed';
  if (request.type === 'SweepRequested') return 'nothing_due';
  return wrong('request_lost', 'passed, and neither decided nor a dead letter');
}

const isSame = (a: MessageCoordinate, b: MessageCoordinate): boolean =>
  a.topic === b.topic && a.partition === b.partition && a.offset === b.offset;

const isLater = (a: MessageCoordinate, than: MessageCoordinate): boolean =>
  a.topic === than.topic && a.partition === than.partition && a.offset > than.offset;
