import { expired, granted, scheduled } from '../../../test/ledger/facts.js';
import { given } from '../../../test/ledger/given.js';
import { grantOf, minutes, NOON } from '../../../test/ledger/requests.js';
import { MAX_OPEN_GRANTS } from './account.js';

describe('a grant', () => {
  const own = { kind: 'pack' };

  it('counts at once when it says nothing else, at priority 100, for ever', () => {
    given()
      .when(grantOf(50n))
      .thenRecorded(
        granted('request', 50n, { ...own, effective_at: NOON, priority: 100, expires_at: null }),
      );
  });

  it('keeps its terms and what was paid', () => {
    const terms = {
      kind: 'promo',
      priority: 7,
      effective_at: minutes(-5),
      expires_at: minutes(60),
      paid: { amount_minor: 1_999, currency: 'EUR' },
    };
    given()
      .when(grantOf(50n, terms))
      .thenRecorded(granted('request', 50n, terms));
  });

  it('of now counts now, of the next moment is scheduled', () => {
    given()
      .when(grantOf(5n, { effective_at: NOON }))
      .thenRecorded(granted('request', 5n, { effective_at: NOON }));
    const effective_at = '2026-03-10T12:00:00.001Z';
    given()
      .when(grantOf(5n, { effective_at }))
      .thenRecorded(scheduled('request', 5n, { effective_at: effective_at as typeof NOON }));
  });

  it('that would expire by the time it counts is rejected', () => {
    for (const terms of [
      { expires_at: NOON },
      { expires_at: minutes(-1) },
      { effective_at: minutes(-9), expires_at: minutes(-8) },
      { effective_at: minutes(5), expires_at: minutes(5) },
      { effective_at: minutes(5), expires_at: minutes(4) },
    ]) {
      given().when(grantOf(5n, terms)).thenRejected('already_expired');
    }
  });

  it('that is rejected keeps what was asked and paid for it', () => {
    const paid = { amount_minor: 1_999, currency: 'EUR' };
    given()
      .when(grantOf(5n, { kind: 'promo', expires_at: minutes(-1), paid }))
      .thenRejected('already_expired', {
        asked_credits: 5n,
        kind: 'promo',
        effective_at: NOON,
        expires_at: minutes(-1),
        paid,
      });
  });

  it('is rejected while a thousand grants are open, and granted once one of them is gone', () => {
    const open = Array.from({ length: MAX_OPEN_GRANTS - 1 }, (_, i) => granted(`g${i}`, 1n));
    given(...open, granted('last', 1n))
      .when(grantOf(5n))
      .thenRejected('too_many_open_grants');
    given(...open, granted('last', 1n, { expires_at: NOON }))
      .when(grantOf(5n))
      .thenRecorded(expired('last', 1n, NOON), granted('request', 5n, { effective_at: NOON }));
  });

  it('says that it is expired before it says that there are too many', () => {
    const open = Array.from({ length: MAX_OPEN_GRANTS }, (_, i) => granted(`g${i}`, 1n));
    given(...open)
      .when(grantOf(5n, { expires_at: NOON }))
      .thenRejected('already_expired');
  });
});
