import { once } from 'node:events';
import { VersionConflict } from '#libs/contracts';
import { memoryEventStore, type AppendResult, type EventStore } from '#libs/event-store';
import { OwnershipLost } from '#libs/message-bus';
import { jest } from '@jest/globals';
import { usage } from '../../../test/fixtures/requests.js';
import {
  eventsOf,
  fundedWorld,
  watchedStore,
  writerOn,
  type World,
} from '../../../test/fixtures/writer.js';
import type { Pause } from './pause.js';
import { ReadSideWaits } from './read-side-wait.js';

afterEach(() => jest.restoreAllMocks());

/** Pauses that take no time, and end a test that would go on for ever. */
function pauses() {
  const taken: number[] = [];
  const pause: Pause = async (ms) => {
    if (taken.push(ms) > 1_000) throw new Error('it never gives up');
  };
  return { taken, pause };
}

/** A batch of one request, and a store that answers its appends with these, the last one for ever. */
async function answeredWorld(...answers: ((expected_revision: number) => AppendResult)[]) {
  const { world, deliver } = await fundedWorld();
  const store = watchedStore(world.log);
  const { appendMany } = store;
  const asked = jest.fn<EventStore['appendMany']>(async (appends) => {
    const answer = answers.length > 1 ? answers.shift()! : answers[0];
    if (answer === undefined) return appendMany(appends);
    return appends.map(({ expected_revision }) => answer(expected_revision));
  });
  return { world, store: { ...store, appendMany: asked }, asked, batch: deliver([usage('r-1')]) };
}

const unknown = (): AppendResult => ({ kind: 'unknown', why: 'no answer' });
const overtaken = (revision: number): AppendResult => ({
  kind: 'conflict',
  actual_revision: revision + 1,
});

/** A heartbeat that reports a lost partition at its n-th beat. */
const losingAt = (beat: number) => {
  let beats = 0;
  return async () => {
    if (++beats === beat) throw new OwnershipLost('another member has it');
  };
};

/** A batch whose account has to be read from its stream. */
async function behindWorld() {
  const { world, deliver } = await fundedWorld();
  await writerOn(world).handle(deliver([usage('r-1')]));
  world.read_side.outdate();
  return { world, batch: deliver([usage('r-2')]) };
}

/** A store that never answers this call, and a promise that it was asked. */
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

describe('a batch whose partition is lost, or whose writer is stopped,', () => {
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

it('a batch ends with its signal though the store never answers for the price book', async () => {
  const { world, deliver } = await fundedWorld();
  const ending = new AbortController();
  const store = memoryEventStore(world.log);
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  // oxlint-disable-next-line require-yield -- it never answers
  const readStream: EventStore['readStream'] = async function* (_, options) {
    asked();
    await once(options!.signal!, 'abort');
    throw options!.signal!.reason;
  };
  const writer = writerOn(world, { store: { ...store, readStream } });
  const handling = writer.handle(deliver([usage('r-1')]), ending);
  await isAsked;
  ending.abort(new Error('the writer stops'));
  await expect(handling).rejects.toThrow('the writer stops');
  expect(eventsOf(world)).toHaveLength(1);
});

describe('a member that has lost its partition', () => {
  it('appends nothing: it asks before it appends', async () => {
    const { store, asked, batch, world } = await answeredWorld();
    const handling = writerOn(world, { store }).handle(batch, { heartbeat: losingAt(1) });
    await expect(handling).rejects.toThrow(OwnershipLost);
    expect(asked).not.toHaveBeenCalled();
  });

  it('repeats no append whose outcome is unknown', async () => {
    const { store, asked, batch, world } = await answeredWorld(unknown);
    const { taken, pause } = pauses();
    const writer = writerOn(world, { store, pause });
    const handling = writer.handle(batch, { heartbeat: losingAt(2) });
    await expect(handling).rejects.toThrow(OwnershipLost);
    expect(asked).toHaveBeenCalledTimes(1);
    expect(taken).toHaveLength(1);
  });
});

describe('F15: a writer that others overtake again and again', () => {
  it('gives the batch up after 20 conflicts, each waited for longer and at random', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.4);
    const { store, asked, batch, world } = await answeredWorld(overtaken);
    const { taken, pause } = pauses();
    const handling = writerOn(world, { store, pause }).handle(batch);
    await expect(handling).rejects.toThrow(VersionConflict);
    expect(asked).toHaveBeenCalledTimes(21);
    expect(taken).toEqual(Array.from({ length: 20 }, (_, n) => 0.4 * (n + 1) * 5));
  });
});

describe('a writer that cannot know the account as it is', () => {
  it('F14: decides nothing on a stream that is shorter than the read side', async () => {
    const { world, batch } = await behindWorld();
    const { read_side } = world;
    const lookUp: typeof read_side.lookUp = async (questions) => {
      const { accounts, decisions } = await read_side.lookUp(questions);
      return { accounts: accounts.map((one) => ({ ...one, revision: 7 })), decisions };
    };
    const writer = writerOn(world, { read_side: { ...read_side, lookUp } });
    await expect(writer.handle(batch)).rejects.toThrow('is at revision 1 but was read at 7');
    expect(eventsOf(world)).toHaveLength(2);
    expect(read_side.parked.size).toBe(0);
  });
});

/** A writer for which nothing takes time but its pauses and each attempt to read the account. */
async function slowlyRead(attempt_ms: number, revision?: number) {
  let now_ms = 0;
  const { world, batch } = await behindWorld();
  const store = memoryEventStore(world.log);
  const readLast: EventStore['readLast'] = async (stream) => {
    now_ms += attempt_ms;
    const last = await store.readLast(stream);
    return last && { ...last, revision: revision ?? last.revision };
  };
  const { taken, pause } = pauses();
  const heartbeat = jest.fn(async () => {});
  const writer = writerOn(world, {
    store: { ...store, readLast },
    read_side_waits: new ReadSideWaits(() => now_ms),
    async pause(ms, signal) {
      now_ms += ms;
      await pause(ms, signal);
    },
  });
  const handling = writer.handle(batch, { heartbeat });
  return { handling, writer, taken, heartbeat, waitedMs: () => now_ms };
}

describe('a read side that stands still', () => {
  it.each([
    ['the pauses', 0, 400],
    ['the attempts as well', 4_950, 4],
  ])('is given up after 20 s, counting %s', async (_, attempt_ms, pauses_taken) => {
    const { handling, writer, taken, heartbeat, waitedMs } = await slowlyRead(attempt_ms, 20_000);
    await expect(handling).rejects.toThrow('stood still for 20000 ms');
    expect(waitedMs()).toBeGreaterThanOrEqual(20_000);
    expect(waitedMs()).toBeLessThanOrEqual(20_000 + attempt_ms);
    expect(taken).toHaveLength(pauses_taken);
    expect(heartbeat).toHaveBeenCalledTimes(pauses_taken);
    expect(writer.ports.read_side_waits.waitingMs()).toBe(0);
  });

  it('is not the one that answers late', async () => {
    const { handling, taken } = await slowlyRead(30_000);
    expect((await handling).decisions).toMatchObject([{ request_id: 'r-2', outcome: 'consumed' }]);
    expect(taken).toEqual([]);
  });
});
