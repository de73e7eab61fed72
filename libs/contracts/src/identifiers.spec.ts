import fc from 'fast-check';
import { accountKey, AccountId, CallerRequestId, SystemRequestId } from './identifiers.js';
import {
  ACCOUNT_STREAM_PREFIX,
  accountKeyOfStream,
  accountStream,
  PRICE_BOOK_ACCOUNT,
  priceBookStream,
} from './names.js';

const ok = (schema: typeof AccountId | typeof CallerRequestId, id: unknown) =>
  schema.safeParse(id).success;

describe('an id', () => {
  const alphabet = 'ABCXYZabcxyz0189_.:@-'.split('');
  const id = fc
    .string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 128 })
    .filter((text) => text !== '.' && text !== '..');

  it('of the alphabet, up to 128 characters, is one', () => {
    fc.assert(fc.property(id, (text) => ok(AccountId, text)));
    expect(ok(AccountId, 'x'.repeat(128))).toBe(true);
    expect(ok(AccountId, '...')).toBe(true);
  });

  it('with any other character is none', () => {
    const other = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 });
    fc.assert(
      fc.property(id, other, id, (before, character, after) => {
        fc.pre(!/^[A-Za-z0-9_.:@-]$/.test(character));
        return !ok(AccountId, before + character + after);
      }),
    );
    for (const text of ['', 'x'.repeat(129), 'a\n', '.', '..'])
      expect(ok(AccountId, text)).toBe(false);
  });

  it('is never taken for another in a key, and a key gives its stream and back', () => {
    fc.assert(
      fc.property(id, id, id, id, (a, b, c, d) => {
        const same = a === c && b === d;
        expect(accountKey(a, b) === accountKey(c, d)).toBe(same);
        const stream = accountStream(accountKey(a, b));
        expect(accountKeyOfStream(stream)).toBe(`${a}/${b}`);
        expect(priceBookStream(a).startsWith(ACCOUNT_STREAM_PREFIX)).toBe(false);
      }),
    );
  });

  it('of an account is never the price book', () => {
    expect(ok(AccountId, PRICE_BOOK_ACCOUNT)).toBe(false);
  });
});

it('ids that begin with sys: are the ledger’s own, all others are its callers’', () => {
  for (const id of ['sys:', 'sys:sweep:1']) {
    expect([id, ok(CallerRequestId, id), SystemRequestId.safeParse(id).success]).toEqual([
      id,
      false,
      true,
    ]);
  }
  for (const id of ['sys', 'SYS:x', 'system:1', 'x-sys:1', '__proto__', 'constructor']) {
    expect([id, ok(CallerRequestId, id), SystemRequestId.safeParse(id).success]).toEqual([
      id,
      true,
      false,
    ]);
  }
});
