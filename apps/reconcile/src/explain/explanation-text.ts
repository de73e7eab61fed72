import {
  MAX_CREDITS_TEXT,
  type AccountEvent,
  type Allocation,
  type DecisionEvent,
  type Paid,
  type Price,
  type PriceBookEvent,
  type RejectionReason,
} from '#libs/contracts';
import { arithmeticOf, MAX_OPEN_GRANTS, MIN_NOTICE_MS } from '#libs/ledger';
import type { Explanation } from '#libs/read-models';
import { counted, grouped as n } from '../table.js';
import { coordinateText } from '../coordinates.js';

const WHY: Readonly<Record<RejectionReason, string>> = {
  insufficient_credits: 'the price is more than what is available',
  unknown_operation: 'the price book in force does not price the operation',
  price_too_large: `the price exceeds ${MAX_CREDITS_TEXT} credits`,
  already_expired: 'the grant would end before it counts',
  too_many_open_grants: `the account has ${n(MAX_OPEN_GRANTS)} grants with something left`,
  version_exists: 'the price book has a version of that name',
  effective_from_too_soon: `a version must be announced ${MIN_NOTICE_MS / 1_000} s ahead`,
};

/** What was decided, in one sentence. */
function verdictOf(event: DecisionEvent): string {
  switch (event.type) {
    case 'UsageConsumed':
      return `charged ${counted(event.credits, 'credit')}`;
    case 'UsageRejected': {
      const { reason, price, shortfall, operation } = event;
      const missing =
        price === undefined || shortfall === undefined
          ? ''
          : `: it costs ${n(price)}, ${counted(shortfall, 'is', 'are')} missing`;
      const named = operation === undefined ? '' : ` (${operation})`;
      return `rejected, ${reason}${named}: ${WHY[reason]}${missing}`;
    }
    case 'CreditsGranted': {
      const { credits, kind, priority, paid, state, effective_at, expires_at } = event;
      const from = state === 'scheduled' ? `counts from ${effective_at}` : 'counts at once';
      const until = untilText(expires_at);
      return `granted ${counted(credits, 'credit')} (${kind}${paidText(paid)}), ${from}, ${until}, priority ${priority}`;
    }
    case 'GrantRejected': {
      const { reason, asked_credits, kind, paid, effective_at, expires_at } = event;
      return (
        `grant rejected, ${reason}: ${WHY[reason]}; asked for ${counted(asked_credits, 'credit')} ` +
        `(${kind}${paidText(paid)}), counts from ${effective_at}, ${untilText(expires_at)}`
      );
    }
  }
}

const untilText = (expires_at: string | null): string =>
  expires_at === null ? 'never expires' : `expires at ${expires_at}`;

/** Whoever looks for a payment has its amount. */
const paidText = (paid: Paid | undefined): string =>
  paid ? `, ${counted(paid.amount_minor, 'minor unit')} of ${paid.currency} paid` : '';

/** What the decision says of price and period, line by line. */
function priceOf(event: DecisionEvent): string[] {
  switch (event.type) {
    case 'UsageConsumed':
    case 'UsageRejected': {
      const width = Math.max(0, ...event.lines.map(({ operation }) => operation.length));
      return [
        ...event.lines.map((line) => `  ${line.operation.padEnd(width)}  ${arithmeticOf(line)}`),
        `price book   ${event.price_book_version}`,
        `period       ${event.period} (occurred at ${event.occurred_at})`,
      ];
    }
    case 'CreditsGranted':
      return [`period       ${event.period} (occurred at ${event.occurred_at})`];
    case 'GrantRejected':
      return [];
  }
}

const allocationsText = (allocations: readonly Allocation[]): string =>
  allocations.map(({ grant_id, credits }) => `${n(credits)} of ${grant_id}`).join(', ');

function dueText(event: AccountEvent): string {
  if (!('grant_id' in event)) return event.type;
  const what = event.type === 'CreditsExpired' ? 'expired' : 'began to count';
  return `${n(event.credits)} of ${event.grant_id} ${what} at ${event.occurred_at}`;
}

/** The explanation as a person reads it. */
export function explanationText(
  { entry, balance_before: before, recorded_with }: Explanation,
  stream: string,
): string {
  const event = entry.event as DecisionEvent;
  const after = event.balance_after;
  const about = [
    event.user_id && `user ${event.user_id}`,
    event.api_key_id && `API key ${event.api_key_id}`,
    ...Object.entries(event.metadata ?? {}).map(([name, value]) => `${name} ${value}`),
  ].filter(Boolean);
  return [
    `${event.request_id} on ${event.account_id}: ${verdictOf(event)}`,
    ...(about.length > 0 ? [`about        ${about.join(', ')}`] : []),
    ...priceOf(event),
    ...(event.type === 'UsageConsumed'
      ? [`burnt        ${allocationsText(event.allocations)}`]
      : []),
    ...recorded_with.map((due) => `due before   ${dueText(due.event)}`),
    `available    ${n(before.available)} → ${n(after.available)}`,
    `reserved     ${n(before.reserved)} → ${n(after.reserved)}`,
    `decided at   ${event.recorded_at}`,
    `message      ${coordinateText(event.source)}`,
    `event        ${stream}@${entry.revision}, the stream has the same bytes`,
    `chain        ${entry.chain}`,
  ].join('\n');
}

/** What became of a publication, as a person reads it. */
export function publicationText(
  { event, revision, chain }: { event: PriceBookEvent; revision: number; chain: string },
  stream: string,
): string {
  return [
    `${event.request_id} on ${event.account_id}: ${publishedText(event)}`,
    ...(event.type === 'PriceBookPublished' ? pricesText(event.prices) : []),
    `decided at   ${event.recorded_at}`,
    `message      ${coordinateText(event.source)}`,
    `event        ${stream}@${revision}`,
    `chain        ${chain}`,
  ].join('\n');
}

function publishedText(event: PriceBookEvent): string {
  const book = `price book ${event.version}, in force from ${event.effective_from}`;
  if (event.type === 'PriceBookPublished') return `published ${book}`;
  const { reason, earliest } = event;
  const from = earliest === undefined ? '' : `, the earliest was ${earliest}`;
  return `rejected, ${reason}: ${WHY[reason]}${from}; asked for ${book}`;
}

function pricesText(prices: Readonly<Record<string, Price>>): string[] {
  const width = Math.max(...Object.keys(prices).map((operation) => operation.length));
  return Object.entries(prices).map(([operation, { credits, per, rounding, fixed }]) => {
    const units = per === 1 ? '' : ` per ${n(per)}, rounded ${rounding}`;
    const more = fixed === undefined ? '' : `, and ${n(fixed)} for each line`;
    return `  ${operation.padEnd(width)}  ${counted(credits, 'credit')}${units}${more}`;
  });
}
