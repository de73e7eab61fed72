import { memoryEventStore, type EventStore } from '#libs/event-store';
import { usage } from '../../../test/fixtures/requests.js';
import { eventsOf, fundedWorld, writerOn, type World } from '../../../test/fixtures/writer.js';

/** A batch whose account has to be read from its stream. */
async function behindWorld() {
  const { world, deliver } = await fundedWorld();
  await writerOn(world).handle(deliver([usage('r-1')]));
  world.read_side.outdate();
  return { world, batch: deliver([usage('r-2')]) };
}

/** Resolves, with a store that never answers this call, when it is asked. */
function silentStore(world: World, call: 'readLast' | 'readStream') {
  const store = memoryEventStore(world.log);
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const never = (signal: AbortSignal | undefined) =>
    new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
      asked();
    });
  const silent: Partial<EventStore> = {
    readLast: (_, options) => never(options?.signal),
    async *readStream(stream, options) {
      if (!stream.startsWith('account-')) return yield* store.readStream(stream, options);
      await never(options?.signal);
    },
  };
  return { isAsked, store: { ...store, [call]: silent[call] } };
}

describe('a batch whose partition is lost, or whose writer is told to stop,', () => {
  it.each(['readLast', 'readStream'] as const)(
    'ends though the store never answers %s',
    async (call) => {
      const { world, batch } = await behindWorld();
      const { isAsked, store } = silentStore(world, call);
      const ending = new AbortController();
      const handling = writerOn(world, { store }).handle(batch, ending);
      await isAsked;
      ending.abort(new Error('the partition is lost'));
      await expect(handling).rejects.toThrow('the partition is lost');
      expect(world.read_side.parked.size).toBe(0);
      expect(eventsOf(world)).toHaveLength(2);
    },
  );
});
