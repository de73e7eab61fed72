import { jest } from '@jest/globals';
import { watchSilence } from './silence.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const watching = (limit_ms = () => 1_000) => {
  const silences: number[] = [];
  const watch = watchSilence(1_000, limit_ms, (ms) => silences.push(ms));
  return { watch, silences };
};

it('tells a silence once, when it has lasted for longer than the limit', () => {
  const { silences } = watching();
  jest.advanceTimersByTime(1_000);
  expect(silences).toEqual([]);
  jest.advanceTimersByTime(5_000);
  expect(silences).toEqual([1_000]);
});

it('begins anew with everything that is heard', () => {
  const { watch, silences } = watching();
  for (let time = 0; time < 10; time += 1) {
    jest.advanceTimersByTime(900);
    watch.heard();
  }
  expect(silences).toEqual([]);
});

it('goes by the limit of the moment', () => {
  let joining = true;
  const { silences } = watching(() => (joining ? 5_000 : 1_000));
  jest.advanceTimersByTime(4_000);
  expect(silences).toEqual([]);
  joining = false;
  jest.advanceTimersByTime(100);
  expect(silences).toEqual([1_000]);
});

it('F28: does not take its own sleep for a silence of the broker', () => {
  const { watch, silences } = watching();
  // A timer that is late by any time fires once; the answers are read after it.
  jest.setSystemTime(Date.now() + 60_000);
  jest.advanceTimersByTime(100);
  watch.heard();
  jest.advanceTimersByTime(1_000);
  expect(silences).toEqual([]);
});

it('says nothing once it is stopped', () => {
  const { watch, silences } = watching();
  watch.stop();
  jest.advanceTimersByTime(5_000);
  expect(silences).toEqual([]);
  expect(jest.getTimerCount()).toBe(0);
});
