import { setTimeout as sleep } from 'node:timers/promises';

interface GatherOptions {
  /** Most items of one batch; a batch of the source is never cut. */
  readonly max_batch: number;
  /** How long a batch that is not full waits for more. */
  readonly linger_ms: number;
}

/**
 * Joins small batches that follow closely on each other, so that a row that changes in each of them is
 * written once. A full batch never waits: catching up is not slowed down.
 */
export async function* gathered<T>(
  source: AsyncIterable<readonly T[]>,
  { max_batch, linger_ms }: GatherOptions,
): AsyncGenerator<readonly T[]> {
  const iterator = source[Symbol.asyncIterator]();
  const take = () => {
    const taken = iterator.next();
    taken.catch(() => {}); // thrown at whoever awaits it, unless nobody wants it any more
    return taken;
  };
  let next = take();

  async function addWhatFollows(batch: T[]): Promise<void> {
    const ending = new AbortController();
    const late = sleep(linger_ms, undefined, ending).catch(() => undefined);
    while (batch.length < max_batch) {
      const more = await Promise.race([next, late]);
      if (more === undefined || more.done) break;
      if (batch.length + more.value.length > max_batch) break;
      batch.push(...more.value);
      next = take();
    }
    ending.abort();
  }

  try {
    for (let first = await next; !first.done; first = await next) {
      next = take();
      const batch = [...first.value];
      if (batch.length < max_batch) await addWhatFollows(batch);
      yield batch;
    }
  } finally {
    // Not awaited: it returns only when what was taken last has arrived, or the source has ended.
    iterator.return?.().catch(() => {});
  }
}
