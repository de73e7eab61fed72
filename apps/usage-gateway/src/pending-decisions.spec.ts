import type { Decision } from '#libs/contracts';
import { createPendingDecisions, decisionKeyOf, type Decided } from './pending-decisions.js';

const ids = { tenant_id: 't', account_id: 'a', request_id: 'r' } as Decision;
const key = decisionKeyOf(ids, 'v1:1');
const decided = (json: string, fingerprint = 'v1:1', more: object = {}): Decided => ({
  decision: { ...ids, fingerprint, ...more },
  json,
});

it('hands each decision to one request, in the order in which they were added', async () => {
  const pending = createPendingDecisions();
  const one = pending.add([key, key]);
  const two = pending.add([key]);
  for (const json of ['first', 'second', 'third', 'of nobody']) pending.deliver(decided(json));
  await Promise.all([one.settled, two.settled]);
  const received = [one, two].map((call) => call.decided.map((given) => given?.json));
  expect(received).toEqual([['first', 'second'], ['third']]);
  expect([one.undecided, two.undecided]).toEqual([0, 0]);
});

it('passes over a call that was removed', async () => {
  const pending = createPendingDecisions();
  const one = pending.add([key, decisionKeyOf(ids, 'v1:2')]);
  const two = pending.add([key]);
  one.remove();
  pending.deliver(decided('for two'));
  await two.settled;
  expect([one.decided[0], two.decided[0]?.json]).toEqual([undefined, 'for two']);
});

it.each([
  ['fingerprint', decided('x', 'v1:2')],
  ['request', decided('x', 'v1:1', { request_id: 's' })],
  ['account', decided('x', 'v1:1', { account_id: 'b' })],
  ['tenant', decided('x', 'v1:1', { tenant_id: 'u' })],
])('keeps a decision of another %s from a call', (_what, other) => {
  const pending = createPendingDecisions();
  const call = pending.add([key]);
  pending.deliver(other);
  expect(call.undecided).toBe(1);
});

it('settles every call when it closes, and each that comes later at once', async () => {
  const pending = createPendingDecisions();
  const call = pending.add([key]);
  pending.close();
  await Promise.all([call.settled, pending.add([key]).settled]);
  expect(call.undecided).toBe(1);
});

it('settles a call without requests at once', async () => {
  await expect(createPendingDecisions().add([]).settled).resolves.toBeUndefined();
});
