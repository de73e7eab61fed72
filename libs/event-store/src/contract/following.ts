import type { EventStore, RecordedEvent } from '../port.js';
import { collect } from './streams.js';

/** The events of a subscription that is running. */
interface Following {
  readonly events: readonly RecordedEvent[];
  /** Resolves with the events once there are `count`; rejects when the subscription ended before. */
  reach(count: number): Promise<readonly RecordedEvent[]>;
  /** Aborts the signal; resolves when the iteration has ended, and rejects as it did. */
  stop(): Promise<void>;
}

type Follow = (
  store: EventStore,
  prefix: string,
  options?: { readonly after?: string; readonly batch_size?: number },
) => Following;

const follow: Follow = (store, prefix, options = {}) => {
  const { after = null, batch_size = 50 } = options;
  const aborter = new AbortController();
  const events: RecordedEvent[] = [];
  let noticed = () => {};
  let ended = false;

  async function run(): Promise<void> {
    const { signal } = aborter;
    for await (const batch of store.subscribe({ prefix, after, batch_size, signal })) {
      expect(batch.length).toBeGreaterThan(0);
      expect(batch.length).toBeLessThanOrEqual(batch_size);
      events.push(...batch);
      noticed();
    }
  }
  const running = run().finally(() => {
    ended = true;
    noticed();
  });
  // Thrown by reach() or stop(), whichever is called first.
  running.catch(() => {});

  return {
    events,
    async reach(count) {
      while (events.length < count && !ended) {
        await new Promise<void>((resolve) => (noticed = resolve));
      }
      if (ended) await running;
      expect(events.length).toBeGreaterThanOrEqual(count);
      return events;
    },
    async stop() {
      aborter.abort();
      await running;
    },
  };
};

/** Follows subscriptions for the tests of one describe block, and stops them after each test. */
export function useFollow(): Follow {
  let following: Following[] = [];
  afterEach(async () => {
    const all = following;
    following = [];
    await Promise.allSettled(all.map((one) => one.stop()));
  });
  return (...args) => {
    const one = follow(...args);
    following.push(one);
    return one;
  };
}

export const readUnder = (store: EventStore, prefix: string): Promise<RecordedEvent[]> =>
  collect(store.readAll({ prefix, after: null, batch_size: 500 }));
