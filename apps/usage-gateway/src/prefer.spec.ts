import { preferenceOf } from './prefer.js';

it.each([
  [undefined, 5, undefined],
  ['', 5, undefined],
  ['wait=10', 10, 'wait=10'],
  ['wait=0', 0, 'wait=0'],
  ['wait="7"', 7, 'wait=7'],
  ['Wait = 10', 10, 'wait=10'],
  ['wait=61', 60, 'wait=60'],
  ['wait=999999999', 60, 'wait=60'],
  ['wait=99999999999', 60, 'wait=60'],
  [`wait=${'9'.repeat(400)}`, 60, 'wait=60'],
  ['respond-async', 0, 'respond-async'],
  ['respond-async, wait=10', 10, 'wait=10'],
  ['return=minimal; foo="a", wait=3', 3, 'wait=3'],
  ['wait=3, wait=9', 3, 'wait=3'],
  ['foo="a,wait=0"', 5, undefined],
  ['foo="a\\",wait=0", wait=3', 3, 'wait=3'],
  ['return=minimal; foo=",wait=0,", respond-async', 0, 'respond-async'],
  ['foo="a, wait=0', 5, undefined],
  ['wait=-1', 5, undefined],
  ['wait=soon', 5, undefined],
  ['wait=1.5', 5, undefined],
  ['wait', 5, undefined],
  [', ;=', 5, undefined],
])('Prefer: %s waits %i s', (header, wait_seconds, applied) => {
  expect(preferenceOf(header)).toEqual({ wait_seconds, applied });
});
