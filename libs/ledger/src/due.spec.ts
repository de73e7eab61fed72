import type { RequestId } from '#libs/contracts';
import { activated, consumed, expired, granted, scheduled } from '../../../test/ledger/facts.js';
import { accountOf, deepFreeze, given } from '../../../test/ledger/given.js';
import { minutes, NOON, sweep } from '../../../test/ledger/requests.js';
import { firstDue, listDue, recordDue } from './due.js';

const JUST_BEFORE = '2026-03-10T11:59:59.999Z' as typeof NOON;

describe('what falls due', () => {
  it('is recorded at its very instant, not a millisecond before', () => {
    const old = granted('old', 5n, { expires_at: NOON });
    given(old).when(sweep(), { now: JUST_BEFORE }).thenAnswered({ outcome: 'nothing_due' });
    given(old)
      .when(sweep(), { now: NOON })
      .thenRecorded(expired('old', 5n, NOON));
    const plan = scheduled('plan', 5n, { effective_at: NOON });
    given(plan).when(sweep(), { now: JUST_BEFORE }).thenAnswered({ outcome: 'nothing_due' });
    given(plan)
      .when(sweep(), { now: NOON })
      .thenRecorded(activated('plan', 5n, NOON));
  });

  it('is recorded with the instant it fell due as occurred_at, now as recorded_at', () => {
    const { verdict } = given(granted('old', 5n, { expires_at: minutes(-30) })).when(sweep());
    expect(verdict).toMatchObject({
      events: [{ occurred_at: minutes(-30), recorded_at: NOON, caused_by: 'sys:sweep' }],
    });
  });

  it('comes in the order of the instant, though ids and burn order say otherwise', () => {
    given(
      granted('a', 1n, { priority: 1, expires_at: minutes(-1) }),
      granted('b', 2n, { priority: 2, expires_at: minutes(-3) }),
      scheduled('c', 3n, { priority: 0, effective_at: minutes(-2) }),
    )
      .when(sweep())
      .thenRecorded(
        expired('b', 2n, minutes(-3)),
        activated('c', 3n, minutes(-2)),
        expired('a', 1n, minutes(-1)),
      );
  });

  it('of one instant comes in the order of the grant id, starts and ends alike', () => {
    given(
      granted('c', 3n, { priority: 0, expires_at: NOON }),
      scheduled('b', 2n, { effective_at: NOON }),
      granted('a', 1n, { priority: 9, expires_at: NOON }),
    )
      .when(sweep())
      .thenRecorded(expired('a', 1n, NOON), activated('b', 2n, NOON), expired('c', 3n, NOON));
  });

  it('a grant that nobody saw starts, then ends', () => {
    given(scheduled('brief', 9n, { effective_at: minutes(-20), expires_at: minutes(-10) }))
      .when(sweep())
      .thenRecorded(activated('brief', 9n, minutes(-20)), expired('brief', 9n, minutes(-10)));
  });

  it('an end stands between the starts around it', () => {
    given(
      scheduled('brief', 9n, { effective_at: minutes(-20), expires_at: minutes(-10) }),
      scheduled('later', 4n, { effective_at: minutes(-5) }),
    )
      .when(sweep())
      .thenRecorded(
        activated('brief', 9n, minutes(-20)),
        expired('brief', 9n, minutes(-10)),
        activated('later', 4n, minutes(-5)),
      );
  });

  it('an expiry takes only what is left', () => {
    given(granted('old', 5n, { expires_at: NOON }), consumed([['old', 3n]]))
      .when(sweep())
      .thenRecorded(expired('old', 2n, NOON));
  });

  it('a grant that is spent neither starts nor expires', () => {
    given(granted('old', 5n, { expires_at: NOON }), consumed([['old', 5n]]))
      .when(sweep())
      .thenAnswered({ outcome: 'nothing_due' });
  });

  it('a grant without expiry never falls due', () => {
    given(granted('pack', 5n))
      .when(sweep(), { now: '9999-12-31T23:59:59.999Z' as typeof NOON })
      .thenAnswered({ outcome: 'nothing_due' });
  });

  it('once recorded is not due again', () => {
    given(
      scheduled('brief', 9n, { effective_at: minutes(-20), expires_at: minutes(-10) }),
      activated('brief', 9n, minutes(-20)),
      expired('brief', 9n, minutes(-10)),
    )
      .when(sweep())
      .thenAnswered({ outcome: 'nothing_due', balance_after: { available: 0n, reserved: 0n } });
  });
});

describe('recording', () => {
  const at = {
    now: NOON,
    caused_by: 'r' as RequestId,
    source: { topic: 'ledger.requests', partition: 0, offset: 0 },
  };

  it('changes a copy when something is due, and hands back the account itself when nothing is', () => {
    const account = deepFreeze(accountOf([granted('old', 5n, { expires_at: NOON })]));
    const after = recordDue(account, at).account;
    expect(after).not.toBe(account);
    expect(after).toMatchObject({ available: 0n, grants: [], next_due_at: null, now: NOON });
    expect(account).toMatchObject({ available: 5n, grants: [{ remaining: 5n }] });
    expect(recordDue(account, { ...at, now: JUST_BEFORE }).account).toBe(account);
    expect(recordDue(after, at).account).toBe(after);
  });

  it('lists the same without recording', () => {
    const account = deepFreeze(
      accountOf([
        scheduled('brief', 9n, { effective_at: minutes(-20), expires_at: minutes(-10) }),
        granted('pack', 5n, { expires_at: minutes(1) }),
      ]),
    );
    const listed = listDue(account, NOON);
    expect(listed).toMatchObject([
      { due_at: minutes(-20), what: 'activate', grant: { grant_id: 'brief', state: 'scheduled' } },
      { due_at: minutes(-10), what: 'expire', grant: { grant_id: 'brief', remaining: 9n } },
    ]);
    expect(listDue(account, minutes(-21))).toEqual([]);
    expect(firstDue(account, NOON)).toEqual(listed[0]);
    expect(firstDue(account, minutes(-21))).toBeUndefined();
  });
});
