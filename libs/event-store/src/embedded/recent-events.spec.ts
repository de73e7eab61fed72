import { notes } from '../contract/streams.js';
import type { RecordedEvent } from '../port.js';
import { newRecentEvents } from './recent-events.js';

const NONE = { events: 1e6, units: 1e6 };

/** Events at these positions of the log. */
const at = (...positions: number[]): RecordedEvent[] =>
  positions.map((position) => ({
    ...notes(`event ${position}`, 1)[0]!,
    stream: 'a',
    revision: position - 1,
    position: String(position),
  }));

const positionsOf = (events: readonly RecordedEvent[] | undefined) =>
  events?.map((event) => Number(event.position));

it('gives what follows a position, as many as asked for', () => {
  const recent = newRecentEvents(NONE);
  recent.add(10, at(11, 12));
  recent.add(12, at(13));
  expect(positionsOf(recent.after(10, 9))).toEqual([11, 12, 13]);
  expect(positionsOf(recent.after(10, 2))).toEqual([11, 12]);
  expect(positionsOf(recent.after(12, 9))).toEqual([13]);
  expect(recent.after(13, 9)).toEqual([]);
});

it('knows nothing of what came before, or has not come yet', () => {
  const recent = newRecentEvents(NONE);
  recent.add(10, at(11, 12));
  expect(recent.after(9, 9)).toBeUndefined();
  expect(recent.after(13, 9)).toBeUndefined();
});

it('begins anew after events of another process, so that it never has a gap', () => {
  const recent = newRecentEvents(NONE);
  recent.add(10, at(11, 12));
  recent.add(15, at(16, 17));
  expect(recent.after(10, 9)).toBeUndefined();
  expect(recent.after(12, 9)).toBeUndefined();
  expect(positionsOf(recent.after(15, 9))).toEqual([16, 17]);
});

it('begins anew when the log lost its tail', () => {
  const recent = newRecentEvents(NONE);
  recent.add(10, at(11, 12, 13));
  recent.add(11, at(12));
  expect(recent.after(10, 9)).toBeUndefined();
  expect(positionsOf(recent.after(11, 9))).toEqual([12]);
});

it.each([
  ['events', { ...NONE, events: 100 }],
  ['units of data', { ...NONE, units: 100 * at(1000)[0]!.data.length }],
])('keeps the last ones, bounded by %s', (_, limits) => {
  const recent = newRecentEvents(limits);
  for (let position = 1001; position <= 2000; position += 1) {
    recent.add(position - 1, at(position));
  }
  const kept = [100, 125].map((count) => recent.after(2000 - count, 1e6));
  expect(positionsOf(kept[0])).toEqual(Array.from({ length: 100 }, (_, n) => 1901 + n));
  expect(recent.after(2000 - 126, 1e6)).toBeUndefined();
});
