import { setTimeout as sleep } from 'node:timers/promises';
import { CouldNotRun } from '../exit-code.js';
import { counted } from '../table.js';
import type { BatchAnswer, Gateway, GatewayDecision } from './gateway.js';
import type { Blame, RowFault, UsageBody } from './row-request.js';

/** A row's request on its way. */
export interface RowRequest {
  readonly number: number;
  readonly line: number;
  /** That of the row; a retry has another one in its body. */
  readonly first_id: string;
  readonly body: UsageBody;
  readonly blame: Blame;
}

interface Settling {
  /** `attempt` counts from 1. */
  readonly on_decided: (request: RowRequest, decision: GatewayDecision, attempt: number) => void;
  readonly on_invalid: (request: RowRequest, fault: RowFault) => void;
  readonly on_resent: (count: number) => void;
  readonly give_up_ms: number;
  readonly signal: AbortSignal;
}

/** A gateway that answers at once without any decision is not asked again at once. */
const PAUSE_MS = 500;

/**
 * Sends requests until each is decided or invalid; those without a decision are sent again with the
 * same ids. Throws CouldNotRun when no decision comes for `give_up_ms`: they are durable, and the
 * same command finds their decisions later.
 */
export async function settleBatch(
  requests: readonly RowRequest[],
  gateway: Pick<Gateway, 'postBatch'>,
  settling: Settling,
): Promise<void> {
  let open = requests;
  let last_decision_ms = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    const answer = await gateway.postBatch(open.map(({ body }) => body));
    const rest = takeAnswer(open, answer, attempt, settling);
    if (rest.length === 0) return;
    const now_ms = performance.now();
    if (rest.length < open.length) last_decision_ms = now_ms;
    else if (now_ms - last_decision_ms > settling.give_up_ms) throw undecided(rest.length);
    else await sleep(PAUSE_MS, undefined, { signal: settling.signal });
    settling.on_resent(rest.length);
    open = rest;
  }
}

/** The requests that have no decision yet. */
function takeAnswer(
  requests: readonly RowRequest[],
  answer: BatchAnswer,
  attempt: number,
  settling: Settling,
): RowRequest[] {
  const invalid = new Map(answer.invalid.map(({ index, errors }) => [index, errors[0]!]));
  const decisions = new Map(answer.decisions.map((decision) => [decision.index, decision]));
  return requests.filter((request, index) => {
    const fault = invalid.get(index);
    const decision = decisions.get(index);
    if (fault) settling.on_invalid(request, request.blame(fault));
    else if (decision) settling.on_decided(request, decision, attempt);
    return !fault && !decision;
  });
}

const undecided = (count: number) =>
  new CouldNotRun(
    `${counted(count, 'request was', 'requests were')} accepted but not decided: is the ledger-writer running? ` +
      'What is accepted is durable; the same command resumes',
  );
