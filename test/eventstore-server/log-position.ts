import { unreadable, type Source } from './read-request.js';
import type { Store } from './store.js';

/**
 * Where in the log a read begins: at the index, or backwards in front of it. Throws for a position at
 * which no record begins; beyond the end there is nothing to read forwards, and an error backwards.
 */
export function indexFrom(
  store: Store,
  from: Extract<Source, { kind: 'all' }>['from'],
  backwards: boolean,
  filtered: boolean,
): number {
  const { log } = store;
  if (from === 'start') return 0;
  if (from === 'end') return log.length;
  const at = indexOf(store, from.commit);
  if (from.commit === 0 || log[at]?.position === from.commit) return at;
  const last = log.at(-1)?.position ?? 0;
  if (from.commit > last && (!backwards || from.commit === store.end())) return at;
  throw unreadable(filtered ? 'FilteredReadAllResult' : 'ReadAllResult');
}

/** The index of the first event at or after a position. */
function indexOf({ log }: Store, position: number): number {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (log[middle]!.position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}
