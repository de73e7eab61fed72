import { DecisionSet } from './decision-set.js';

it('keeps decisions apart by account and revision, in any order', () => {
  const set = new DecisionSet();
  const places = ['a', 'b'].flatMap((account_id) =>
    [70_000, 0, 7, 8, 127, 128, 1].map((revision) => ({ account_id, revision })),
  );
  expect(places.map((place) => set.has(place))).toEqual(places.map(() => false));
  expect(places.map((place) => set.add(place))).toEqual(places.map(() => true));
  expect(places.map((place) => set.add(place))).toEqual(places.map(() => false));
  expect(places.map((place) => set.has(place))).toEqual(places.map(() => true));
  expect(set.has({ account_id: 'a', revision: 2 })).toBe(false);
  expect(set.has({ account_id: 'c', revision: 0 })).toBe(false);
});

it('never has what has no place on a stream', () => {
  const set = new DecisionSet();
  const nowhere = { account_id: 'a', revision: null };
  expect([set.add(nowhere), set.add(nowhere), set.has(nowhere)]).toEqual([true, true, false]);
});
