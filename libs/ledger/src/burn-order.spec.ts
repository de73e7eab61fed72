import type { GrantId } from '#libs/contracts';
import { consumed, granted, scheduled } from '../../../test/ledger/facts.js';
import { accountOf, given } from '../../../test/ledger/given.js';
import { minutes, usage } from '../../../test/ledger/requests.js';
import type { Grant } from './account.js';
import { allocate, compareBurnOrder } from './burn-order.js';

const burnt = (moved: readonly (readonly [string, bigint])[]) => consumed(moved);
const spend = (quantity: number) => usage('text.generation', quantity);

/** Of two grants, whichever was granted first in the list, `first` burns first. */
const expectOrder = (first: Parameters<typeof granted>, second: Parameters<typeof granted>) => {
  for (const facts of [
    [granted(...first), granted(...second)],
    [granted(...second), granted(...first)],
  ]) {
    const account = accountOf(facts.toSorted((a, b) => (a.at < b.at ? -1 : 0)));
    expect(account.grants.map((grant) => grant.grant_id)).toEqual([first[0], second[0]]);
  }
};

describe('the burn order', () => {
  it('1 is the lower priority number, though the other expires sooner, is older and sorts before', () => {
    expectOrder(
      ['z', 5n, { priority: 9, at: minutes(-5) }],
      ['a', 5n, { priority: 10, at: minutes(-9), expires_at: minutes(1) }],
    );
  });

  it('2 then the sooner expiry, though the other is older and sorts before', () => {
    expectOrder(
      ['z', 5n, { expires_at: minutes(5), at: minutes(-5) }],
      ['a', 5n, { expires_at: minutes(6), at: minutes(-9) }],
    );
  });

  it('2 a grant that never expires comes after one that does', () => {
    expectOrder(
      ['z', 5n, { expires_at: minutes(50_000_000), at: minutes(-5) }],
      ['a', 5n, { expires_at: null, at: minutes(-9) }],
    );
  });

  it('3 then the older, though the other sorts before', () => {
    expectOrder(['z', 5n, { at: minutes(-9) }], ['a', 5n, { at: minutes(-5) }]);
  });

  it('3 older means granted earlier, not effective earlier', () => {
    expectOrder(
      ['z', 5n, { at: minutes(-9), effective_at: minutes(-9) }],
      ['a', 5n, { at: minutes(-5), effective_at: minutes(-20) }],
    );
  });

  it('4 then the grant id, by code unit', () => {
    expectOrder(['B', 5n], ['a', 5n]);
    expectOrder(['g10', 5n], ['g9', 5n]);
  });

  it('is total: it tells any two grants apart, and no grant from itself', () => {
    const grants = gridOfGrants();
    for (const [i, a] of grants.entries()) {
      for (const [j, b] of grants.entries()) {
        const sign = Math.sign(compareBurnOrder(a, b));
        expect(sign + Math.sign(compareBurnOrder(b, a))).toBe(0);
        expect(sign === 0).toBe(i === j);
      }
    }
  });

  it('is transitive, so that any order of insertion gives one list', () => {
    const grants = gridOfGrants();
    const sorted = grants.toSorted(compareBurnOrder);
    expect(grants.toReversed().toSorted(compareBurnOrder)).toEqual(sorted);
    for (const [i, a] of sorted.entries()) {
      for (const b of sorted.slice(i + 1)) expect(compareBurnOrder(a, b)).toBeLessThan(0);
    }
  });
});

/** Every combination of few values per criterion, so that all ties occur. */
function gridOfGrants(): Grant[] {
  const grants: Grant[] = [];
  for (const priority of [0, 100]) {
    for (const expires_at of [minutes(1), minutes(2), null]) {
      for (const granted_at of [minutes(-2), minutes(-1)]) {
        for (const id of ['a', 'b']) {
          const grant_id = `${id}-${grants.length}` as GrantId;
          const common = { kind: 'pack', effective_at: granted_at, state: 'active' } as const;
          grants.push({ grant_id, priority, expires_at, granted_at, remaining: 1n, ...common });
        }
      }
    }
  }
  return grants;
}

describe('an allocation', () => {
  const first = granted('first', 5n, { priority: 1 });
  const second = granted('second', 5n, { priority: 2 });

  it('names each grant that burns with what it gives, in burn order', () => {
    given(second, first)
      .when(spend(7))
      .thenRecorded(burnt([['first', 5n], ['second', 2n]])); // prettier-ignore
  });

  it('leaves grants alone that are not needed', () => {
    given(second, first)
      .when(spend(5))
      .thenRecorded(burnt([['first', 5n]]));
  });

  it('goes on where the last one stopped', () => {
    given(second, first, consumed([['first', 4n]]))
      .when(spend(2))
      .thenRecorded(burnt([['first', 1n], ['second', 1n]])); // prettier-ignore
  });

  it('passes over what is only scheduled, though it would burn first', () => {
    given(second, scheduled('zero', 5n, { priority: 0, effective_at: minutes(1) }))
      .when(spend(3))
      .thenRecorded(burnt([['second', 3n]]));
  });

  it('of nothing is empty; of more than there is breaks an invariant', () => {
    const { grants } = accountOf([first, second]);
    expect(allocate(grants, 0n)).toEqual([]);
    expect(() => allocate(grants, 11n)).toThrow('1 credits too few');
  });
});
