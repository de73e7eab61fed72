import type { EventStore, RecordedEvent } from '#libs/event-store';
import type { Chance } from './chance.js';

export const STORE_FAULTS = [
  'a subscription that is dropped',
  'a subscription that falls silent',
  'a page that comes again',
  'pages that begin too early',
  'a store that does not answer what it holds',
] as const;

/** The store of one projector: its subscriptions break, fall silent, and repeat what they gave. */
export function faultyStore(store: EventStore, chance: Chance, per_cent: number): EventStore {
  async function* subscribe(options: Parameters<EventStore['subscribe']>[0]) {
    const { prefix, signal } = options;
    const strikes = (fault: string) => chance.strikes(fault, per_cent);
    const too_early = options.after !== null && strikes(STORE_FAULTS[3]);
    const after = too_early ? null : options.after;
    let given: RecordedEvent[] = [];
    for await (const batch of store.subscribe({ prefix, after, signal, batch_size: 64 })) {
      for (let from = 0; from < batch.length;) {
        if (strikes(STORE_FAULTS[0])) throw new Error('the subscription was dropped');
        if (strikes(STORE_FAULTS[1])) return untilAborted(signal);
        const page = batch.slice(from, from + chance.pick(1, 12));
        from += page.length;
        given = [...given, ...page];
        yield page;
        if (strikes(STORE_FAULTS[2])) {
          const begin = chance.pick(0, given.length);
          yield given.slice(begin, chance.pick(begin, given.length));
        }
      }
    }
  }
  return {
    ...store,
    subscribe: (options) => notEmpty(subscribe(options)),
    async holds(place) {
      if (chance.strikes(STORE_FAULTS[4], per_cent)) throw new Error('the store does not answer');
      return store.holds(place);
    },
  };
}

async function* notEmpty(pages: AsyncIterable<readonly RecordedEvent[]>) {
  for await (const page of pages) if (page.length > 0) yield page;
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
