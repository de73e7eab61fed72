import type { GatewayDecision } from './gateway.js';
import type { Mapping } from './mapping.js';

/** What an import has come to so far. */
export interface Tally {
  /** Data rows read. */
  rows: number;
  /** Rows that cannot be billed, refused here or by the gateway. */
  bad_rows: number;
  /** Rows whose requests were sent, each once however often it had to be repeated. */
  sent: number;
  /** Retries of rows that were rejected, each under an id of its own. */
  retried: number;
  /** Requests that were sent again because no decision had come. */
  resent: number;
  /** Rows by their last decision: consumed, rejected, conflicts and duplicates. */
  decided: number;
  consumed: number;
  rejected: number;
  rejected_by_reason: Record<string, number>;
  /** The request_id was decided before with other content: nothing was charged for this row. */
  conflicts: number;
  /** The same request as another row of this run: it was decided, and charged, once. */
  duplicates: number;
  /** Of the decided, without duplicates: answered with the decision of an earlier run. */
  replayed: number;
  /** Charged for the rows of this file, by this run or an earlier one. */
  credits: bigint;
  /** Of these: charged by an earlier run. */
  credits_replayed: bigint;
  accounts_granted: number;
  /** Of these: had got their pack before. */
  packs_replayed: number;
}

export const newTally = (): Tally => ({
  rows: 0,
  bad_rows: 0,
  sent: 0,
  retried: 0,
  resent: 0,
  decided: 0,
  consumed: 0,
  rejected: 0,
  rejected_by_reason: {},
  conflicts: 0,
  duplicates: 0,
  replayed: 0,
  credits: 0n,
  credits_replayed: 0n,
  accounts_granted: 0,
  packs_replayed: 0,
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

/** A decision that was counted as an earlier run's, and that this run turns out to have made. */
export function countAsOwn(tally: Tally, { credits }: GatewayDecision): void {
  tally.replayed -= 1;
  tally.credits_replayed -= credits;
}

/** Rows of the file were not charged, by this run or an earlier one. */
export const leftUncharged = (tally: Tally, skip_bad: boolean): boolean =>
  tally.rejected + tally.conflicts + (skip_bad ? 0 : tally.bad_rows) > 0;

const number = (value: number | bigint): string => value.toLocaleString('en-US');

/** What a person is told beside the numbers. */
export interface Told {
  readonly decisions_per_second: number;
  readonly options: {
    readonly mapping: Pick<Mapping, 'request_id'>;
    readonly retries: number;
    readonly grant: string | undefined;
    readonly from_row: number;
  };
}

/** The tally as a person reads it. */
export function tallyText(tally: Tally, told: Told): string {
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
    ['decisions per second', number(told.decisions_per_second)],
  ];
  if (tally.retried > 0) {
    const again = number(tally.retried);
    lines.splice(1, 0, ['retries sent', again, 'of rejected rows, under ids of their own']);
  }
  if (tally.conflicts > 0) {
    lines.push([
      'conflicts',
      number(tally.conflicts),
      'same request_id, other content: not charged; another --name charges all rows anew',
    ]);
  }
  if (tally.duplicates > 0) {
    lines.push([
      'duplicate rows',
      number(tally.duplicates),
      'same request_id and content as another row: charged once',
    ]);
  }
  if (tally.bad_rows > 0) lines.push(['bad rows', number(tally.bad_rows), 'not charged']);
  if (tally.accounts_granted > 0) {
    lines.push(['accounts granted', number(tally.accounts_granted), packsText(tally)]);
  }
  const width = Math.max(...lines.map(([, value]) => value.length));
  const table = lines
    .map(([name, value, note]) =>
      `${name.padEnd(22)}${value.padStart(width)}${note ? `   ${note}` : ''}`.trimEnd(),
    )
    .join('\n');
  return [table, ...adviceOn(tally, told)].join('\n');
}

const packsText = ({ packs_replayed }: Tally): string =>
  packs_replayed === 0 ? 'one pack each' : `a pack each, ${number(packs_replayed)} of them before`;

function adviceOn({ rejected, bad_rows }: Tally, { options }: Told): string[] {
  const advice: string[] = [];
  if (rejected > 0) {
    const whole = options.from_row === 1 ? '' : ' and without --from-row';
    const grants = options.grant === undefined ? '' : ' (--grant gives no second pack)';
    advice.push(
      'Rejected rows were not charged, and their request ids are decided for ever. Once there are credits ' +
        `or prices for them, run the same command with --retry-rejected ${options.retries + 1}${whole}: it ` +
        `charges none of the others again${grants}.`,
    );
  }
  if (bad_rows > 0 && options.mapping.request_id === undefined) {
    advice.push(
      'Mend bad rows where they stand, then run the same command again. Take no rows out and put none in: ' +
        'the request ids count the rows, and all below would be charged again.',
    );
  }
  return advice;
}
