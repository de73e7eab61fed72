import { consumed, granted, scheduled } from '../../../test/ledger/facts.js';
import { accountOf } from '../../../test/ledger/given.js';
import { ACCOUNT, minutes, NOON, TENANT } from '../../../test/ledger/requests.js';
import { STATE_VERSION } from './account.js';
import { decodeAccount, encodeAccount } from './snapshot.js';

const account = accountOf([
  granted('pack', 1_000_000_000_000_000n),
  scheduled('plan', 7n, { effective_at: NOON, expires_at: minutes(5), kind: 'plan' }),
  consumed([['pack', 1n]], { at: minutes(-1) }),
]);

/** These bytes stand in the read side: another fold or form needs another STATE_VERSION. */
const VERSION_1 =
  '{"now":"2026-03-10T11:59:00.000Z","available":"999999999999999","reserved":"0","grants":[' +
  '{"grant_id":"plan","kind":"plan","priority":100,"granted_at":"2026-03-10T11:00:00.000Z",' +
  '"effective_at":"2026-03-10T12:00:00.000Z","expires_at":"2026-03-10T12:05:00.000Z",' +
  '"state":"scheduled","remaining":"7"},' +
  '{"grant_id":"pack","kind":"pack","priority":100,"granted_at":"2026-03-10T11:00:00.000Z",' +
  '"effective_at":"2026-03-10T11:00:00.000Z","expires_at":null,"state":"active",' +
  '"remaining":"999999999999999"}],"next_due_at":"2026-03-10T12:00:00.000Z"}';

it('has one form per version of the state', () => {
  expect([STATE_VERSION, encodeAccount(account)]).toEqual([1, VERSION_1]);
});

it('gives the account back, and the same bytes again', () => {
  const decoded = decodeAccount(TENANT, ACCOUNT, encodeAccount(account));
  expect(decoded).toEqual(account);
  expect(encodeAccount(decoded)).toBe(VERSION_1);
});

it('of an untouched account is one too', () => {
  const empty = accountOf([]);
  expect(decodeAccount(TENANT, ACCOUNT, encodeAccount(empty))).toEqual(empty);
});
