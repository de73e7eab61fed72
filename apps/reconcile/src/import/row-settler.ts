import { DecisionSet } from './decision-set.js';
import type { Gateway, GatewayDecision } from './gateway.js';
import type { RowFault } from './row-request.js';
import { retryOf } from './retrying.js';
import { settleBatch, type RowRequest } from './settle-batch.js';
import { countAsOwn, countDecision, type Tally } from './tally.js';

export interface SettlerOptions {
  /** So many times each rejected row is asked for again, each time under another id. */
  readonly retries: number;
  readonly give_up_ms: number;
  readonly signal: AbortSignal;
}

export interface RowSettling {
  readonly tally: Tally;
  /** Whether two rows may be one request: only ids out of a column can stand in the file twice. */
  readonly may_repeat: boolean;
  /** When this run began: a decision before it was an earlier run's. */
  readonly started_at: string;
  readonly on_bad: (row: RowRequest, fault: RowFault) => void;
}

/**
 * Sends rows until each is decided, those that are rejected again as often as wanted, and counts each
 * by its last decision.
 */
export function rowSettler(
  gateway: Pick<Gateway, 'postBatch'>,
  { retries, give_up_ms, signal }: SettlerOptions,
  { tally, may_repeat, started_at, on_bad }: RowSettling,
): (rows: readonly RowRequest[]) => Promise<void> {
  const delivered = new DecisionSet();
  const replays = new DecisionSet();

  const count = (decision: GatewayDecision, attempt: number) => {
    // A repeated request may be answered with what its own first attempt decided.
    const replayed = decision.replayed && (attempt === 1 || decision.recorded_at < started_at);
    countDecision(tally, decision, replayed);
    if (replayed && may_repeat) replays.add(decision);
  };

  /** Of two rows with one request the answers come in any order: one of them made the decision. */
  const countDuplicate = (decision: GatewayDecision) => {
    tally.decided += 1;
    tally.duplicates += 1;
    if (!decision.replayed && replays.has(decision)) countAsOwn(tally, decision);
  };

  return async (rows) => {
    tally.sent += rows.length;
    let open = rows;
    for (let retry = 1; open.length > 0; retry += 1) {
      const again: RowRequest[] = [];
      await settleBatch(open, gateway, {
        give_up_ms,
        signal,
        on_decided(row, decision, attempt) {
          if (decision.outcome === 'conflict') count(decision, attempt);
          else if (may_repeat && !delivered.add(decision)) countDuplicate(decision);
          else if (decision.outcome === 'rejected' && retry <= retries) {
            again.push(retryOf(row, decision, retry));
          } else count(decision, attempt);
        },
        on_invalid: on_bad,
        on_resent: (resent) => void (tally.resent += resent),
      });
      tally.retried += again.length;
      open = again;
    }
  };
}
