import type { Decision } from '#libs/contracts';
import { createWaitingRoom, placeOf, type Decided } from './waiting-room.js';

const ids = { tenant_id: 't', account_id: 'a', request_id: 'r' } as Decision;
const place = placeOf(ids, 'v1:1');
const decided = (json: string, fingerprint = 'v1:1', more: object = {}): Decided => ({
  decision: { ...ids, fingerprint, ...more },
  json,
});

it('hands each decision to one place, in the order of entering', async () => {
  const room = createWaitingRoom();
  const one = room.enter([place, place]);
  const two = room.enter([place]);
  for (const json of ['first', 'second', 'third', 'of nobody']) room.deliver(decided(json));
  await Promise.all([one.settled, two.settled]);
  const told = [one, two].map((party) => party.decided.map((given) => given?.json));
  expect(told).toEqual([['first', 'second'], ['third']]);
  expect([one.undecided, two.undecided]).toEqual([0, 0]);
});

it('passes over who has left', async () => {
  const room = createWaitingRoom();
  const one = room.enter([place, placeOf(ids, 'v1:2')]);
  const two = room.enter([place]);
  one.leave();
  room.deliver(decided('for two'));
  await two.settled;
  expect([one.decided[0], two.decided[0]?.json]).toEqual([undefined, 'for two']);
});

it.each([
  ['fingerprint', decided('x', 'v1:2')],
  ['request', decided('x', 'v1:1', { request_id: 's' })],
  ['account', decided('x', 'v1:1', { account_id: 'b' })],
  ['tenant', decided('x', 'v1:1', { tenant_id: 'u' })],
])('a decision of another %s is not for it', (_what, other) => {
  const room = createWaitingRoom();
  const party = room.enter([place]);
  room.deliver(other);
  expect(party.undecided).toBe(1);
});

it('lets everyone go when it closes, and keeps nobody who comes later', async () => {
  const room = createWaitingRoom();
  const party = room.enter([place]);
  room.close();
  await Promise.all([party.settled, room.enter([place]).settled]);
  expect(party.undecided).toBe(1);
});

it('keeps nobody who waits for nothing', async () => {
  await expect(createWaitingRoom().enter([]).settled).resolves.toBeUndefined();
});
