import fc from 'fast-check';
import { encodeJson, type PriceBookPublishRequested } from '#libs/contracts';
import { COMMAND_PRICES, sequences } from '../ledger/commands.js';
import { publish } from '../ledger/requests.js';
import type { AccountPost } from './broker.js';
import { FAULTS, type Fault, type Odds } from './director.js';

/** A price book that is announced earlier than the minimum notice requires, by this many steps. */
export interface Announcement {
  readonly id: number;
  readonly notice_turns: number;
}

/** What one history is made of, but for chance. */
export interface Scenario {
  /** Per account, in their order. */
  readonly posts: readonly (readonly AccountPost[])[];
  readonly announcements: readonly Announcement[];
  readonly odds: Odds;
  /** Milliseconds by which every clock goes on with each step ... */
  readonly turn_ms: number;
  /** ... and every timer: what waits for an answer is not compared with a clock. */
  readonly tick_ms: number;
}

/** Per cent for each fault: most runs have few kinds of faults, and those often. */
const anyOdds = fc.record(
  Object.fromEntries(
    FAULTS.map((fault) => [fault, fc.constantFrom(0, 0, 3, 15, 40)]),
  ) as unknown as Record<Fault, fc.Arbitrary<number>>,
);

/** These faults often, and no others. */
export const oddsOf = (...faults: readonly Fault[]): fc.Arbitrary<Odds> =>
  fc.constant(
    Object.fromEntries(
      FAULTS.map((fault) => [fault, faults.includes(fault) ? 30 : 0]),
    ) as unknown as Odds,
  );

const MAX_POSTS = 24;

/** Four accounts: two share a partition, a third is in another of the same lane. */
const posts = fc.tuple(
  ...['acct-0', 'acct-1', 'acct-2', 'acct-3'].map((account_id) =>
    sequences.map((sent) =>
      sent.slice(0, MAX_POSTS).map(({ command }) => ({ account_id, command })),
    ),
  ),
);

/** Few ids, so that one comes again with another time. */
const announcement = fc.record({
  id: fc.nat(4),
  notice_turns: fc.constantFrom(-1, 50, 150, 300, 600),
});

export const scenarios = (odds: fc.Arbitrary<Odds> = anyOdds): fc.Arbitrary<Scenario> =>
  fc.record({
    posts,
    announcements: fc.array(announcement, { maxLength: 6, size: 'max' }),
    odds,
    turn_ms: fc.constantFrom(100, 300, 1_000),
    tick_ms: fc.constantFrom(5, 20, 100, 500),
  });

/** The same prices under another name: what a request costs does not depend on it. */
export const publicationOf = (
  { id }: Announcement,
  effective_from: string,
): PriceBookPublishRequested =>
  publish({
    request_id: `book-${id}`,
    version: `version-${id}`,
    effective_from,
    prices: PRICES,
  });

const PRICES = JSON.parse(encodeJson(COMMAND_PRICES.prices)) as object;
