import type { RecordedEvent } from '../port.js';

export interface RecentEvents {
  /** Adds what was committed after position `before`. */
  add(before: number, events: readonly RecordedEvent[]): void;
  /**
   * At most `count` events after a position. Empty when the position is that of the last event added;
   * undefined when the events after it are not here.
   */
  after(position: number, count: number): readonly RecordedEvent[] | undefined;
}

interface RecentLimits {
  readonly events: number;
  /** UTF-16 units of data. */
  readonly units: number;
}

/**
 * The last events that this process has committed, without a gap, so that its own subscribers need not
 * ask the database for them. What another process commits in between makes it begin anew.
 */
export function newRecentEvents(limits: RecentLimits): RecentEvents {
  let events: RecordedEvent[] = [];
  let before_first = 0;
  let units = 0;

  function trim(): void {
    let dropped = 0;
    while (events.length - dropped > limits.events || units > limits.units) {
      units -= events[dropped]!.data.length;
      dropped += 1;
    }
    events = events.slice(dropped);
    before_first += dropped;
  }

  return {
    add(before, added) {
      if (before !== before_first + events.length) {
        events = [];
        units = 0;
        before_first = before;
      }
      for (const event of added) {
        events.push(event);
        units += event.data.length;
      }
      // A quarter more before it is cut, so that not every append copies the rest.
      if (events.length > limits.events * 1.25 || units > limits.units * 1.25) trim();
    },
    after(position, count) {
      const from = position - before_first;
      if (from < 0 || from > events.length) return undefined;
      return events.slice(from, from + count);
    },
  };
}
