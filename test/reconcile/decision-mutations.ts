import { priceBookStream, SHIPPED_PRICE_BOOK_REQUEST_ID, TOPICS } from '#libs/contracts';
import { grant, publishPrices } from './audited-ledger.js';
import { ALICE, append, forge, type Mutation, type Plant } from './planting.js';

/** Decisions that are whole in themselves, in a chain that holds, and not what the rules say. */
export const DECISION_MUTATIONS: readonly Mutation[] = (
  [
    [
      'a unit price that the price book does not have',
      2,
      [
        [/"unit_credits":"20"/, '"unit_credits":"30"'],
        [/"2000"/g, '"3000"'],
      ],
    ],
    [
      'a price book that does not exist',
      3,
      [[/"price_book_version":"[^"]*"/, '"price_book_version":"none"']],
    ],
    ['a month that is not the usage’s', 3, [[/"period":"\d{4}/, '"period":"1999']]],
    ['a grant that burns out of turn', 3, [[/"grant_id":"g-2"/, '"grant_id":"g-1"']]],
    ['a rejection without a reason', 2, [[/"shortfall":"\d+"/, '"shortfall":"1"']]],
    [
      'other usage than was asked',
      3,
      [
        [/"quantity":3/, '"quantity":2'],
        [/"credits":"3"/g, '"credits":"2"'],
        [/"available":"1047"/, '"available":"1048"'],
      ],
    ],
    ['other terms than were asked', 0, [[/"kind":"pack"/, '"kind":"promo"']]],
  ] as const
).map(([what, at, edits]) => ({
  check: 'decision_differs',
  what,
  plant: forge(ALICE, (data, revision) =>
    revision === at ? edits.reduce((text, [from, to]) => text.replace(from, to), data) : data,
  ),
  left: new RegExp(`^account-dev/alice@${at}$`),
  right: new RegExp(`^read\\.entries\\(dev, alice, ${at}\\)$`),
}));

/** The same in what the read models do not hold yet. */
export const RECENT_MUTATIONS: readonly Mutation[] = [
  {
    check: 'decision_differs',
    what: 'a price book that does not exist, not projected yet',
    plant: append(ALICE, (event) => ({
      ...event,
      request_id: 'u-recent',
      price_book_version: 'none',
      balance_after: { available: '1044', reserved: '0' },
    })),
    left: /^account-dev\/alice@4$/,
  },
  {
    check: 'fold_broken',
    what: 'a balance that does not follow, not projected yet',
    plant: append(ALICE, (event) => ({ ...event, request_id: 'u-recent' })),
    left: /^account-dev\/alice@4$/,
  },
];

const PRICES = priceBookStream('dev');

/** A version of the prices and a grant that is refused, then a rewrite of one of the streams. */
const afterwards =
  (plant: Plant): Plant =>
  async (ledger) => {
    const prices = { 'text.generation': { credits: 2 } };
    await ledger.publish(TOPICS.requests, [publishPrices('p-1', 'spring', prices)]);
    await ledger.settle();
    await ledger.publish(TOPICS.requests, [
      grant('alice', 'g-late', 70, { priority: 5, expires_at: '2026-01-01T00:00:00Z' }),
    ]);
    await ledger.settle();
    await plant(ledger);
  };

export const TERMS_MUTATIONS: readonly Mutation[] = [
  {
    check: 'terms_differ',
    what: 'a price that nobody published',
    plant: afterwards(
      forge(PRICES, (data, revision) =>
        revision === 1 ? data.replace('"credits":"2"', '"credits":"3"') : data,
      ),
    ),
    left: /^ledger\.requests\/\d+\/\d+$/,
    right: /^pricebook-dev@1$/,
  },
  {
    check: 'terms_differ',
    what: 'a rejected grant of other credits than were asked',
    plant: afterwards(
      forge(ALICE, (data, revision) =>
        revision === 4 ? data.replace('"asked_credits":"70"', '"asked_credits":"7"') : data,
      ),
    ),
    left: /^ledger\.requests\/\d+\/\d+$/,
    right: /^account-dev\/alice@4$/,
  },
];

/** A refused version of the prices as if it had been published, and the other way round. */
export const PUBLICATION_MUTATIONS: readonly Mutation[] = (
  [
    ['a version that was refused although its name was new', refused('version_exists')],
    [
      'a version that was refused although its notice was long enough',
      refused('effective_from_too_soon', { earliest: '2026-01-31T12:01:00.000Z' }),
    ],
    [
      'a version that was published with too little notice',
      { effective_from: '2026-01-31T12:00:59.999Z' },
    ],
    ['a version that was published a second time', { version: 'launch' }],
    ['a second shipped price book', { request_id: SHIPPED_PRICE_BOOK_REQUEST_ID }],
  ] as const
).map(([what, changes]) => ({
  check: 'decision_differs',
  what,
  plant: afterwards(
    forge(PRICES, (data, revision) =>
      revision === 1 ? JSON.stringify({ ...JSON.parse(data), ...changes }) : data,
    ),
  ),
  left: /^pricebook-dev@1$/,
}));

function refused(reason: string, fields: object = {}): object {
  return { type: 'PriceBookRejected', prices: undefined, reason, ...fields };
}
