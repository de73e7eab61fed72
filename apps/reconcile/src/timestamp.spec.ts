import { InstantInput } from '#libs/contracts';
import { rfc3339Of } from './timestamp.js';

it.each([
  ['2023-11-16 18:15:46.6805900', '2023-11-16T18:15:46.680Z'],
  ['2023-11-16 18:15:46', '2023-11-16T18:15:46.000Z'],
  ['2023-11-16T18:15', '2023-11-16T18:15:00.000Z'],
  ['2023-11-16', '2023-11-16T00:00:00.000Z'],
  ['2023-11-16 18:15:46 UTC', '2023-11-16T18:15:46.000Z'],
  ['2023-11-16T18:15:46z', '2023-11-16T18:15:46.000Z'],
  ['2023-11-16T18:15:46,5+01:00', '2023-11-16T17:15:46.500Z'],
  ['2023-11-16 18:15:46-0530', '2023-11-16T23:45:46.000Z'],
])('%s is %s', (text, instant) => {
  expect(InstantInput.parse(rfc3339Of(text))).toBe(instant);
});

it.each(['', 'yesterday', '16.11.2023', '2023-02-30 10:00:00', '2023-11-16 24:61', '1700158546'])(
  '%j is refused, not guessed',
  (text) => {
    expect(InstantInput.safeParse(rfc3339Of(text)).success).toBe(false);
  },
);
