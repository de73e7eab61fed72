import { memoryEventStore, openEventStoreDb } from '#libs/event-store';
import { CannotStart } from '#libs/platform';
import { requireStore, storeCheck } from './store-check.js';

const NOBODY = 'esdb://127.0.0.1:1?tls=false';

it('lets a writer start with an event store, and with none refuses in one line', async () => {
  await requireStore(memoryEventStore());
  const away = await openEventStoreDb({ url: NOBODY });
  const refused = requireStore(away);
  await expect(refused).rejects.toBeInstanceOf(CannotStart);
  await expect(refused).rejects.toThrow(/^the event store cannot be read: .*ECONNREFUSED/);
  await away.close();
});

it('fails while the store is away, and asks it no more often than every 2 s', async () => {
  let now_ms = 0;
  let reads = 0;
  let is_there = false;
  const store = {
    async readLast() {
      reads += 1;
      if (!is_there) throw new Error('away');
      return undefined;
    },
  };
  const check = storeCheck(store, () => now_ms);
  const why = 'the event store cannot be read: away';
  expect(await Promise.all([check(), check()])).toEqual([why, why]);
  is_there = true;
  expect(await check()).toBe(why);
  expect(reads).toBe(1);
  now_ms += 2_000;
  expect(await check()).toBeUndefined();
  expect(reads).toBe(2);
});

it('says of a store that never answers that it does not, within the time of a health check', async () => {
  let signal: AbortSignal | undefined;
  const store = {
    readLast(_stream: string, options: { readonly signal?: AbortSignal } = {}) {
      ({ signal } = options);
      return new Promise<undefined>(() => {});
    },
  };
  const check = storeCheck(store, () => 0);
  expect(await check()).toMatch(/^the event store cannot be read: .*given up after 1500 ms$/);
  expect(signal?.aborted).toBe(true);
});
