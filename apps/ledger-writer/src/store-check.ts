import { priceBookStream } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { CannotStart, describeError, within, type Clock, type HealthCheck } from '#libs/platform';

type Store = Pick<EventReader, 'readLast'>;

/** Of no tenant, so it never exists: that there is none is an answer as good as any. */
const PROBED_STREAM = priceBookStream('');
const START_TIMEOUT_MS = 10_000;
/** Less than a health check may take: its answer then says what does not answer. */
const CHECK_TIMEOUT_MS = 1_500;
/** However many ask for readiness and metrics, the store is asked no more often than this. */
const CHECK_INTERVAL_MS = 2_000;

/** A writer that took partitions without a store would keep them from those that have one. */
export async function requireStore(store: Store): Promise<void> {
  const why = await whyUnreadable(store, START_TIMEOUT_MS);
  if (why !== undefined) throw new CannotStart(why);
}

/** Fails while the event store cannot be read. */
export function storeCheck(store: Store, clock: Clock): HealthCheck {
  let asked: { readonly at: number; readonly answer: Promise<string | undefined> } | undefined;
  return () => {
    const now = clock();
    const isFresh = asked !== undefined && Math.abs(now - asked.at) < CHECK_INTERVAL_MS;
    if (!isFresh) asked = { at: now, answer: whyUnreadable(store, CHECK_TIMEOUT_MS) };
    return asked!.answer;
  };
}

async function whyUnreadable(store: Store, timeout_ms: number): Promise<string | undefined> {
  const giving_up = new AbortController();
  try {
    const { signal } = giving_up;
    await within(timeout_ms, store.readLast(PROBED_STREAM, { signal }), 'reading it');
    return undefined;
  } catch (error) {
    return `the event store cannot be read: ${describeError(error)}`;
  } finally {
    giving_up.abort();
  }
}
