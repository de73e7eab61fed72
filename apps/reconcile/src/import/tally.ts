import type { GatewayDecision } from './gateway.js';

/** What an import has come to so far. */
interface Tally {
  /** Data rows read. */
  rows: number;
  /** Rows that cannot be billed, refused here or by the gateway. */
  bad_rows: number;
  /** Requests that were sent, each once however often it had to be repeated. */
  sent: number;
  /** Requests that were sent again because no decision had come. */
  resent: number;
  decided: number;
  consumed: number;
  rejected: number;
  rejected_by_reason: Record<string, number>;
  /** The request_id was decided before with other content: nothing was charged for this row. */
  conflicts: number;
  /** Of the decided: answered with the decision of an earlier run. */
  replayed: number;
  /** Charged for the rows of this file, by this run or an earlier one. */
  credits: bigint;
  /** Of these: charged by an earlier run. */
  credits_replayed: bigint;
  accounts_granted: number;
}

export const newTally = (): Tally => ({
  rows: 0,
  bad_rows: 0,
  sent: 0,
  resent: 0,
  decided: 0,
  consumed: 0,
  rejected: 0,
  rejected_by_reason: {},
  conflicts: 0,
  replayed: 0,
  credits: 0n,
  credits_replayed: 0n,
  accounts_granted: 0,
});

/** `replayed` says whether an earlier run decided it; a repeated request may replay this run's own. */
export function countDecision(tally: Tally, decision: GatewayDecision, replayed: boolean): void {
  tally.decided += 1;
  if (replayed) tally.replayed += 1;
  if (decision.outcome === 'conflict') {
    tally.conflicts += 1;
    return;
  }
  if (decision.outcome === 'consumed') {
    tally.consumed += 1;
    tally.credits += decision.credits;
    if (replayed) tally.credits_replayed += decision.credits;
    return;
  }
  const reason = decision.reason ?? decision.outcome;
  tally.rejected += 1;
  tally.rejected_by_reason[reason] = (tally.rejected_by_reason[reason] ?? 0) + 1;
}

const number = (value: number | bigint): string => value.toLocaleString('en-US');

/** The tally as a person reads it. */
export function tallyText(tally: Tally, decisions_per_second: number): string {
  const reasons = Object.entries(tally.rejected_by_reason)
    .map(([reason, count]) => `${reason} ${number(count)}`)
    .join(', ');
  const lines: [string, string, string?][] = [
    [
      'requests sent',
      number(tally.sent),
      tally.resent > 0 ? `${number(tally.resent)} sent again` : '',
    ],
    ['decided', number(tally.decided)],
    ['  consumed', number(tally.consumed)],
    ['  rejected', number(tally.rejected), reasons],
    [
      'replayed',
      number(tally.replayed),
      'decided before, by an earlier run or a try whose answer was lost',
    ],
    ['credits', number(tally.credits), `${number(tally.credits_replayed)} of them charged before`],
    ['decisions per second', number(Math.round(decisions_per_second))],
  ];
  if (tally.conflicts > 0) {
    lines.push([
      'conflicts',
      number(tally.conflicts),
      'same request_id, other content: not charged; for another mapping, another --name',
    ]);
  }
  if (tally.bad_rows > 0) lines.push(['bad rows', number(tally.bad_rows), 'not charged']);
  if (tally.accounts_granted > 0) {
    lines.push(['accounts granted', number(tally.accounts_granted), 'one pack each']);
  }
  const width = Math.max(...lines.map(([, value]) => value.length));
  const table = lines
    .map(([name, value, note]) =>
      `${name.padEnd(22)}${value.padStart(width)}${note ? `   ${note}` : ''}`.trimEnd(),
    )
    .join('\n');
  return tally.rejected === 0 ? table : `${table}\n${REJECTED}`;
}

const REJECTED =
  'Rejected rows were not charged, and their request ids are decided for ever. Once there are credits ' +
  '(--grant) or prices for them, import the file again with another --name.';

/** Nothing of the file was charged, now or before, although something was asked. */
export const nothingCharged = ({ rejected, consumed }: Tally): boolean =>
  rejected > 0 && consumed === 0;
