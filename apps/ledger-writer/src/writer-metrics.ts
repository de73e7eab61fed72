import type { Metrics } from '#libs/platform';
import type { BatchResult } from './writer.js';

const WORKER = 'ledger-writer';

/** Counts what a batch came to. One call per distinct label, not per request. */
export function countBatch(metrics: Metrics, { answers, refused, seconds }: BatchResult): void {
  const decisions = new Map<string, { count: number; labels: Record<string, string> }>();
  for (const { decision } of answers) {
    const { outcome, reason = '', replayed } = decision;
    const labels = { outcome, reason, replayed: String(replayed) };
    const key = `${outcome} ${reason} ${replayed}`;
    const counted = decisions.get(key);
    if (counted) counted.count += 1;
    else decisions.set(key, { count: 1, labels });
  }
  for (const { count, labels } of decisions.values()) metrics.decisions_total.inc(labels, count);
  for (const { reason } of refused) metrics.dead_letters_total.inc({ reason });
  metrics.batch_messages.observe({ worker: WORKER }, answers.length + refused.length);
  metrics.batch_duration_seconds.observe({ worker: WORKER }, seconds);
}
