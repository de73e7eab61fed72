import fc from 'fast-check';
import {
  dayOf,
  DayInput,
  epochMsOf,
  Instant,
  InstantInput,
  instantOf,
  laterOf,
  Period,
  periodOf,
} from './time.js';

const normalised = (text: unknown): string | undefined => InstantInput.safeParse(text).data;

describe('a time of a caller', () => {
  it.each([
    ['2026-03-10T12:00:00Z', '2026-03-10T12:00:00.000Z'],
    ['2026-03-10T12:00:00.5Z', '2026-03-10T12:00:00.500Z'],
    ['2026-03-10T12:00:00.123456789Z', '2026-03-10T12:00:00.123Z'],
    ['2026-03-10T12:00:00.9999999Z', '2026-03-10T12:00:00.999Z'], // cut, never rounded up
    [`2026-03-10T12:00:00.${'9'.repeat(500)}Z`, '2026-03-10T12:00:00.999Z'],
    ['2026-03-10T12:00:00+00:00', '2026-03-10T12:00:00.000Z'],
    ['2026-03-10T12:00:00-00:00', '2026-03-10T12:00:00.000Z'],
    ['2026-03-10T12:00:00+05:30', '2026-03-10T06:30:00.000Z'],
    ['2026-03-10T12:00:00-23:59', '2026-03-11T11:59:00.000Z'],
    ['2026-01-01T00:30:00+01:00', '2025-12-31T23:30:00.000Z'], // another month, and year
    ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, instant) => {
    expect(normalised(text)).toBe(instant);
    expect(Instant.parse(normalised(text))).toBe(instant);
  });

  it.each([
    '',
    'now',
    '2026-03-10',
    '2026-03-10T12:00Z',
    '2026-03-10T12:00:00', // of no zone
    '2026-03-10T12:00:00+0100',
    '2026-03-10T12:00:00+1:00',
    '2026-03-10T12:00:00+24:00',
    '2026-03-10 12:00:00Z',
    '2026-03-10t12:00:00z',
    '2026-03-10T12:00:60Z', // a leap second has no place on a clock without them
    '2026-06-30T23:59:60Z',
    '2026-03-10T24:00:00Z',
    '2026-03-10T12:60:00Z',
    '2026-02-29T12:00:00Z',
    '1900-02-29T12:00:00Z',
    '2026-04-31T12:00:00Z',
    '2026-00-10T12:00:00Z',
    '2026-13-10T12:00:00Z',
    '2026-03-00T12:00:00Z',
    '2026-03-10T12:00:00.Z',
    '0000-06-01T00:00:00Z', // no day of Postgres
    '0001-01-01T00:00:00Z', // not 1901
    '1969-12-31T23:59:59.999Z',
    '+002026-03-10T12:00:00Z',
    '-000001-03-10T12:00:00Z',
    '02026-03-10T12:00:00Z',
    ' 2026-03-10T12:00:00Z',
    '2026-03-10T12:00:00Z\n',
    1_773_144_000_000,
    null,
    new Date(0),
  ])('%p is none', (text) => expect(normalised(text)).toBeUndefined());

  it('whose offset leads out of the years 1970 to 9999 is none', () => {
    expect(normalised('9999-12-31T23:59:59.999-00:01')).toBeUndefined();
    expect(normalised('1970-01-01T00:00:00+00:01')).toBeUndefined();
    expect(normalised('9999-12-31T23:59:59.999+00:01')).toBe('9999-12-31T23:58:59.999Z');
    expect(normalised('1969-12-31T23:59:00-00:01')).toBe('1970-01-01T00:00:00.000Z');
  });
});

it.each([
  ['1970-01-01', true],
  ['9999-12-31', true],
  ['1969-12-31', false],
  ['0000-01-01', false],
  ['2026-02-29', false],
])('%s is a day of a caller: %p', (day, ok) => expect(DayInput.safeParse(day).success).toBe(ok));

it.each(['', 'soon', '1969-12-31'])('says once what is wrong with the day "%s"', (day) => {
  expect(DayInput.safeParse(day).error?.issues).toHaveLength(1);
});

describe('an instant', () => {
  const span = { min: Date.parse('0000-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59Z') };
  const epoch_ms = fc.integer(span);
  const offset = fc.integer({ min: -23 * 60, max: 23 * 60 });

  /** The same moment as a clock in another zone shows it. */
  const shownAt = (ms: number, minutes: number): string => {
    const local = instantOf(ms + minutes * 60_000).slice(0, -1);
    const [h, m] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
    const digits = [h, m].map((part) => String(part).padStart(2, '0')).join(':');
    return `${local}${minutes < 0 ? '-' : '+'}${digits}`;
  };

  it('has one form, whatever the zone of the clock that showed it', () => {
    const inside = fc.integer({ min: 0, max: span.max - 86_400_000 });
    fc.assert(
      fc.property(inside, offset, (ms, minutes) => {
        expect(normalised(shownAt(ms, minutes))).toBe(instantOf(ms));
      }),
    );
  });

  it('compares as text as it does as time, and comes back as it was', () => {
    fc.assert(
      fc.property(epoch_ms, epoch_ms, (a, b) => {
        expect(instantOf(a) < instantOf(b)).toBe(a < b);
        expect(epochMsOf(instantOf(a))).toBe(a);
        expect(Instant.safeParse(instantOf(a)).success).toBe(true);
      }),
    );
  });

  it('of another form is refused, though a Date would read it', () => {
    for (const text of [
      '2026-03-10T12:00:00Z',
      '2026-03-10T12:00:00.000+00:00',
      '2026-03-10T12:00:00.0000Z',
      '+010000-01-01T00:00:00.000Z',
      '2026-13-10T12:00:00.000Z',
      '2026-03-32T12:00:00.000Z',
      '2026-03-10T24:00:00.000Z',
      '2026-03-10T12:61:00.000Z',
      '2026-03-10T12:00:60.000Z',
      '2026-03-10T12:00:00.000Z\n',
    ]) {
      expect({ text, ok: Instant.safeParse(text).success }).toEqual({ text, ok: false });
    }
  });

  it('lies in a UTC month and day', () => {
    const last = InstantInput.parse('2026-03-01T00:59:59.999+01:00');
    expect([periodOf(last), dayOf(last)]).toEqual(['2026-02', '2026-02-28']);
    expect(Period.safeParse(periodOf(last)).success).toBe(true);
    for (const text of ['2026-00', '2026-13', '2026-1', '2026-01-01', '26-01']) {
      expect(Period.safeParse(text).success).toBe(false);
    }
  });

  it('is compared as text: the later of two, or the only one', () => {
    const [earlier, later] = [999, 1_000].map(instantOf) as [Instant, Instant];
    expect([laterOf(earlier, later), laterOf(later, earlier)]).toEqual([later, later]);
    expect([laterOf(earlier, null), laterOf(later, undefined)]).toEqual([earlier, later]);
  });
});
