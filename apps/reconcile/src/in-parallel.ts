/**
 * Does `work` on every item, on at most `limit` at a time, taking the next only when there is room.
 * Rejects with the first error once nothing is under way any more; items not begun are left.
 */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const source =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failed = false;
  const worker = async () => {
    try {
      for (;;) {
        const next = await source.next();
        if (next.done === true || failed) return;
        await work(next.value);
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: limit }, worker));
  if (!failed) return;
  await source.return?.();
  throw ended.find((result) => result.status === 'rejected')!.reason;
}
