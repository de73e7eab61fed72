import type { Decision, RequestId } from '#libs/contracts';
import {
  activated,
  consumed,
  expired,
  granted,
  rejected,
  scheduled,
} from '../../../test/ledger/facts.js';
import { given } from '../../../test/ledger/given.js';
import { minutes, NOON, PRICES, sweep, usage, usageOf } from '../../../test/ledger/requests.js';
import { decide } from './decide.js';

const prior: Decision = {
  tenant_id: 'acme',
  account_id: 'alice',
  request_id: 'request' as RequestId,
  fingerprint: 'v1:first',
  outcome: 'consumed',
  credits: 20n,
  balance_after: { available: 80n, reserved: 0n },
  price_book_version: PRICES.version,
  revision: 7,
  recorded_at: minutes(-30),
  replayed: false,
};

describe('the precedence', () => {
  /** Each row fails every rule from its own on; only the first one that it fails may answer. */
  const duePack = granted('old', 5n, { expires_at: NOON });
  const tooDear = usageOf([
    ['image.generation', 1_000_000_000_000],
    ['image.generation', 1_000_000_000_000],
  ]);
  const vast = { ...PRICES, prices: { 'image.generation': vastPrice() } };

  it('1 already decided with this content: the first answer, though all has fallen due since', () => {
    given(duePack)
      .when(usage('unheard.of', 1), { prior, fingerprint: 'v1:first' })
      .thenAnswered({ ...prior, replayed: true });
  });

  it('2 already decided with other content: a conflict that names both fingerprints', () => {
    given(duePack).when(usage('unheard.of', 1), { prior, fingerprint: 'v1:second' }).thenAnswered({
      outcome: 'conflict',
      fingerprint: 'v1:second',
      original_fingerprint: 'v1:first',
      credits: 0n,
      revision: 7,
      recorded_at: NOON,
      replayed: false,
    });
  });

  it('3 what is due is recorded first, whatever becomes of the request', () => {
    given(duePack)
      .when(usage('unheard.of', 1))
      .thenRecorded(
        expired('old', 5n, NOON),
        rejected('UsageRejected', {
          reason: 'unknown_operation',
          operation: 'unheard.of',
          lines: [],
          items: [{ operation: 'unheard.of', quantity: 1 }],
        }),
      );
  });

  it('4 an operation without a price comes before a price that is too large', () => {
    const items = [...tooDear.items, ...usage('unheard.of', 1).items];
    given()
      .when({ ...tooDear, items }, { price_book: vast })
      .thenRejected('unknown_operation', { operation: 'unheard.of', lines: [], items });
  });

  it('5 a price that is too large comes before a balance that is too small', () => {
    given()
      .when(tooDear, { price_book: vast })
      .thenRejected('price_too_large', { lines: [], items: tooDear.items });
  });

  it('6 a balance that is too small rejects, with price and shortfall', () => {
    given(granted('pack', 19n))
      .when(usage('image.generation', 1))
      .thenRejected('insufficient_credits', { price: 20n, shortfall: 1n });
  });

  it('7 else the credits burn', () => {
    given(granted('pack', 20n))
      .when(usage('image.generation', 1))
      .thenRecorded(consumed([['pack', 20n]]));
  });
});

function vastPrice() {
  return { credits: 1_000_000_000_000_000n, per: 1, rounding: 'up' as const };
}

describe('usage', () => {
  it('records lines with the whole arithmetic, the version and the month it was used in', () => {
    given(granted('pack', 100n))
      .when(
        usageOf(
          [
            ['llm.input_tokens', 1_500],
            ['llm.output_tokens', 500],
          ],
          {
            occurred_at: '2026-02-28T23:59:59.999Z',
            user_id: 'u-1',
            api_key_id: 'k-1',
            metadata: { trace: 'abc' },
          },
        ),
      )
      .thenRecorded(
        consumed([['pack', 4n]], {
          price_book_version: '2026-01',
          period: '2026-02',
          lines: [
            {
              operation: 'llm.input_tokens',
              quantity: 1_500,
              credits: 2n,
              unit_credits: 1n,
              per: 1_000,
              rounding: 'up',
            },
            {
              operation: 'llm.output_tokens',
              quantity: 500,
              credits: 2n,
              unit_credits: 3n,
              per: 1_000,
              rounding: 'up',
            },
          ],
        }),
      );
  });

  it('may take the last credit, and not one more', () => {
    const pack = granted('pack', 3n);
    given(pack)
      .when(usage('text.generation', 3))
      .thenRecorded(consumed([['pack', 3n]]));
    given(pack, consumed([['pack', 3n]]))
      .when(usage('text.generation', 1))
      .thenRejected('insufficient_credits', { price: 1n, shortfall: 1n });
  });

  it('takes all lines or none', () => {
    given(granted('pack', 20n))
      .when(
        usageOf([
          ['text.generation', 1],
          ['image.generation', 1],
        ]),
      )
      .thenRejected('insufficient_credits', { price: 21n, shortfall: 1n });
  });

  it('is rejected on an account that was never granted anything', () => {
    given()
      .when(usage('text.generation', 1))
      .thenRejected('insufficient_credits', { price: 1n, shortfall: 1n });
  });

  it('counts no credits that are only scheduled', () => {
    given(scheduled('later', 50n, { effective_at: minutes(1) }))
      .when(usage('text.generation', 1))
      .thenRejected('insufficient_credits', { price: 1n, shortfall: 1n });
  });

  it('uses credits that start to count at this very moment', () => {
    given(scheduled('plan', 50n, { effective_at: NOON }))
      .when(usage('text.generation', 1))
      .thenRecorded(activated('plan', 50n, NOON), consumed([['plan', 1n]]));
  });

  it('uses no credits that expire at this very moment', () => {
    given(granted('promo', 50n, { expires_at: NOON }), granted('pack', 50n))
      .when(usage('text.generation', 1))
      .thenRecorded(expired('promo', 50n, NOON), consumed([['pack', 1n]]));
  });

  it('may cost nothing when a price is rounded down: recorded, no grant touched', () => {
    const down = { 'llm.input_tokens': { credits: 1n, per: 1_000, rounding: 'down' as const } };
    given()
      .when(usage('llm.input_tokens', 999), { price_book: { ...PRICES, prices: down } })
      .thenRecorded(consumed([]));
  });

  it('is unknown, not a crash, when an operation is called as what objects inherit', () => {
    for (const operation of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      given(granted('pack', 9n))
        .when(usage(operation, 1))
        .thenRejected('unknown_operation', {
          operation,
          lines: [],
          items: [{ operation, quantity: 1 }],
        });
    }
  });
});

describe('a sweep', () => {
  it('records what is due and nothing else', () => {
    given(
      granted('old', 5n, { expires_at: minutes(-2) }),
      scheduled('new', 7n, { effective_at: minutes(-1) }),
    )
      .when(sweep())
      .thenRecorded(expired('old', 5n, minutes(-2)), activated('new', 7n, minutes(-1)));
  });

  it('answers nothing_due, without an event, when nothing is', () => {
    given(granted('pack', 5n, { expires_at: minutes(1) }))
      .when(sweep())
      .thenAnswered({
        outcome: 'nothing_due',
        request_id: 'sys:sweep' as RequestId,
        credits: 0n,
        balance_after: { available: 5n, reserved: 0n },
        revision: null,
        recorded_at: NOON,
        replayed: false,
      });
  });
});

it('gives the same bytes for the same arguments', () => {
  const { account } = given(granted('pack', 100n), granted('old', 5n, { expires_at: NOON }));
  const request = usage('text.generation', 7, { metadata: { a: 'b' } });
  const context = { now: NOON, price_book: PRICES, source: SOURCE, fingerprint: 'v1:x' };
  const [first, second] = [1, 2].map(() => decide(request, account, undefined, context));
  expect(second).toEqual(first);
});

const SOURCE = { topic: 'ledger.usage', partition: 0, offset: 0 };
