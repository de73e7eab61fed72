import type { Output } from '../output.js';
import { counted, grouped } from '../table.js';
import type { VerifiedCheckpoint } from '../checkpoint.js';
import type { Findings } from './findings.js';
import type { ReadModelSums } from './read-model-check.js';
import type { RequestCounts } from './request-check.js';
import type { Recent } from './stream-check.js';

/** All that was compared. */
export interface Verified {
  readonly checkpoint: VerifiedCheckpoint;
  readonly followed: { readonly streams: number; readonly events: number };
  readonly recent: Pick<Recent, 'not_projected' | 'since'>;
  readonly read_models: ReadModelSums;
  readonly requests: RequestCounts;
}

export function reportVerified(
  verified: Verified,
  findings: Findings,
  seconds: number,
  out: Output,
): void {
  const { invoices, ...read_models } = verified.read_models;
  const facts = {
    checkpoint: verified.checkpoint,
    requests: verified.requests,
    streams: verified.followed,
    not_projected_yet: verified.recent.not_projected,
    not_projected_since: verified.recent.since,
    read_models,
    invoices,
    mismatches: findings.count,
    first_mismatch: findings.first ?? null,
    seconds,
  };
  out.report('verified', facts, () => textOf(verified, findings, seconds));
}

const n = grouped;

function textOf(
  { checkpoint, followed, recent, read_models: sums, requests }: Verified,
  findings: Findings,
  seconds: number,
): string {
  const { invoices } = sums;
  const read = Object.values(requests).reduce((sum, count) => sum + count, 0);
  const verdict =
    findings.count === 0
      ? `all four agree${recent.not_projected > 0 ? ' up to this position' : ''}`
      : `${counted(findings.count, 'MISMATCH', 'MISMATCHES')}, the first: ${findings.first!.check}`;
  return [
    `position ${checkpoint.position ?? 'none'}, recorded at ${checkpoint.recorded_at ?? 'never'}`,
    `bus          ${counted(read, 'request')}: ${countsText(requests)}`,
    `streams      ${n(followed.streams)} of accounts, ${counted(followed.events, 'event')}, ` +
      `${counted(recent.not_projected, 'decision')} not projected yet` +
      (recent.since === null ? '' : `, the first of ${recent.since}`),
    `             ${n(sums.granted)} granted = ${n(sums.consumed)} consumed + ` +
      `${n(sums.expired)} expired + ${n(sums.granted - sums.consumed - sums.expired)} left`,
    `read models  ${counted(sums.accounts, 'account')}, ${counted(sums.entries, 'entry', 'entries')}, ` +
      `${counted(sums.usage_totals, 'usage total')}, ${counted(sums.grants, 'grant')}, ${counted(sums.snapshots, 'snapshot')}`,
    `             ${counted(sums.rejection_totals, 'total')} of rejected usage, ` +
      counted(sums.rejected_grants, 'rejected grant'),
    `             ${n(sums.available)} available, ${n(sums.reserved)} reserved`,
    `invoices     ${counted(invoices.invoices, 'invoice')}, ${counted(invoices.lines, 'line')}, ` +
      `${counted(invoices.purchases, 'purchase')}, ${counted(invoices.credits, 'credit')} = consumed`,
    `${verdict} (${seconds.toFixed(1)} s)`,
  ].join('\n');
}

const countsText = (requests: RequestCounts): string =>
  Object.entries(requests)
    .filter(([outcome, count]) => count > 0 || outcome === 'decided')
    .map(([outcome, count]) => `${n(count)} ${outcome.replaceAll('_', ' ')}`)
    .join(', ');
