import { InvariantBroken, type AccountEvent } from '#libs/contracts';
import {
  activated,
  consumed,
  contextOf,
  eventOf,
  expired,
  granted,
  rejected,
  requestOf,
  scheduled,
  type Fact,
} from '../../../test/ledger/facts.js';
import { accountOf } from '../../../test/ledger/given.js';
import { minutes, NOON } from '../../../test/ledger/requests.js';
import { balanceOf } from './account.js';
import { evolve } from './evolve.js';

const grantIds = (facts: readonly Fact[]) => accountOf(facts).grants.map((open) => open.grant_id);

describe('an account after its events', () => {
  it('before the first one is empty and has no time', () => {
    expect(accountOf([])).toEqual({
      tenant_id: 'acme',
      account_id: 'alice',
      now: null,
      available: 0n,
      reserved: 0n,
      grants: [],
      next_due_at: null,
    });
  });

  it('holds a grant with its terms', () => {
    const terms = { kind: 'promo', priority: 3, expires_at: minutes(9), at: minutes(-1) };
    const effective_at = minutes(-2);
    expect(accountOf([granted('g', 5n, { ...terms, effective_at })])).toMatchObject({
      now: minutes(-1),
      available: 5n,
      grants: [
        {
          grant_id: 'g',
          kind: 'promo',
          priority: 3,
          granted_at: minutes(-1),
          effective_at,
          expires_at: minutes(9),
          state: 'active',
          remaining: 5n,
        },
      ],
      next_due_at: minutes(9),
    });
  });

  it('does not count a scheduled grant before it starts', () => {
    const plan = scheduled('plan', 5n, { effective_at: NOON, expires_at: minutes(9) });
    expect(accountOf([plan])).toMatchObject({ available: 0n, next_due_at: NOON });
    expect(accountOf([plan, activated('plan', 5n, NOON)])).toMatchObject({
      available: 5n,
      grants: [{ grant_id: 'plan', state: 'active' }],
      next_due_at: minutes(9),
    });
  });

  it('forgets a grant that is spent or has expired, and its due instant with it', () => {
    const old = granted('old', 5n, { expires_at: minutes(1) });
    const young = granted('young', 5n, { expires_at: minutes(2) });
    expect(accountOf([old, young]).next_due_at).toBe(minutes(1));
    const spent = [old, young, consumed([['old', 5n]])];
    expect(accountOf(spent)).toMatchObject({ available: 5n, next_due_at: minutes(2) });
    expect(grantIds(spent)).toEqual(['young']);
    const gone = [old, young, expired('old', 5n, minutes(1))];
    expect(accountOf(gone)).toMatchObject({ available: 5n, next_due_at: minutes(2) });
    expect(grantIds([...gone, expired('young', 5n, minutes(2))])).toEqual([]);
  });

  it('keeps its grants in burn order, in whatever order they came', () => {
    const facts = [
      granted('c', 1n, { priority: 2 }),
      granted('a', 1n, { priority: 3 }),
      granted('d', 1n, { priority: 1 }),
      granted('b', 1n, { priority: 2 }),
    ];
    expect(grantIds(facts)).toEqual(['d', 'b', 'c', 'a']);
  });

  it('is not changed by a rejection, except that its time goes on', () => {
    const facts = [granted('g', 5n)];
    const rejections = [
      rejected('UsageRejected', { reason: 'insufficient_credits', lines: [] }),
      rejected('GrantRejected', { reason: 'already_expired' }),
    ].map((fact) => ({ ...fact, at: NOON }));
    const before = accountOf(facts);
    expect(accountOf([...facts, ...rejections])).toEqual({ ...before, now: NOON });
  });
});

/** What an event must not say after a grant of 5 that counts and one of 7 that is scheduled. */
describe('an event that contradicts its account breaks an invariant', () => {
  const past = [
    granted('pack', 5n, { at: minutes(-60) }),
    scheduled('plan', 7n, { effective_at: NOON, at: minutes(-50) }),
  ];
  const spent = consumed([['pack', 2n]]);
  const starts = activated('plan', 7n, NOON);
  const ends = expired('pack', 5n, NOON);
  const opens = granted('new', 3n);

  const fold = (fact: Fact, change: (event: Mutable) => void) => () => {
    const account = accountOf(past);
    const request = requestOf(fact);
    const event = eventOf(fact, balanceOf(account), request, contextOf(request, NOON));
    const told = structuredClone({ ...event, lines: [] }) as unknown as Mutable;
    change(told);
    return evolve(account, told as unknown as AccountEvent);
  };

  it('while the same events unchanged are folded', () => {
    for (const fact of [spent, starts, ends, opens]) {
      expect(fold(fact, () => undefined)().now).toBe(NOON);
    }
  });

  const cases: [string, Fact, (event: Mutable) => void][] = [
    ['is of another account', spent, (e) => (e.account_id = 'bob')],
    ['is of another tenant', spent, (e) => (e.tenant_id = 'other')],
    ['is recorded before the last one', spent, (e) => (e.recorded_at = minutes(-51))],
    ['leaves another balance', spent, (e) => (e.balance_after.available += 1n)],
    ['leaves another reserve', spent, (e) => (e.balance_after.reserved += 1n)],
    ['charges more than it allocates', spent, (e) => (e.credits += 1n)],
    ['allocates more than it charges', spent, (e) => (first(e).credits += 1n)],
    ['burns a grant that is not open', spent, (e) => (first(e).grant_id = 'nobody')],
    ['burns a grant that is scheduled', spent, (e) => (first(e).grant_id = 'plan')],
    ['burns more than a grant holds', spent, (e) => moveAll(e, 6n, -1n)],
    ['burns less than nothing', spent, (e) => moveAll(e, -2n, 7n)],
    [
      'names a grant that gives nothing',
      spent,
      (e) => e.allocations.push({ ...first(e), credits: 0n }),
    ],
    ['allocates nothing', spent, (e) => (e.allocations = [])],
    ['starts a grant twice', starts, (e) => (e.grant_id = first(e).grant_id = 'pack')],
    ['starts a grant with other credits', starts, (e) => moveAll(e, 8n, 13n)],
    ['starts a grant that is not open', starts, (e) => (e.grant_id = 'nobody')],
    ['ends a grant that is scheduled', ends, (e) => (e.grant_id = first(e).grant_id = 'plan')],
    ['ends one grant, allocates another', ends, (e) => (first(e).grant_id = 'plan')],
    ['expires more than is left', ends, (e) => moveAll(e, 6n, -1n)],
    ['opens a grant that is open', opens, (e) => (e.grant_id = first(e).grant_id = 'pack')],
    ['opens a grant with nothing', opens, (e) => moveAll(e, 0n, 5n)],
    ['opens a grant, allocates less', opens, (e) => (first(e).credits = 2n)],
  ];

  it.each(cases)('%s', (_name, fact, change) => {
    expect(fold(fact, change)).toThrow(InvariantBroken);
  });
});

interface Mutable {
  tenant_id: string;
  account_id: string;
  recorded_at: string;
  grant_id: string;
  credits: bigint;
  allocations: { grant_id: string; credits: bigint }[];
  balance_after: { available: bigint; reserved: bigint };
}

const first = (event: Mutable) => event.allocations[0]!;

/** Consistent in itself: only the account can tell that it is wrong. */
function moveAll(event: Mutable, credits: bigint, available: bigint) {
  event.credits = credits;
  first(event).credits = credits;
  event.balance_after.available = available;
}
