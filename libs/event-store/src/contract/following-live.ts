import { GENESIS, type StreamHead } from '#libs/contracts';
import type { Stores } from '../contract.js';
import type { EventStore } from '../port.js';
import { readUnder, useFollow } from './following.js';
import * as streams from './streams.js';

const { freshPrefix, notes } = streams;

const WRITERS = 8;
const ROUNDS = 40;
const STREAMS_PER_WRITER = 12;

/**
 * Appends to its own streams, several per call and 1 to 4 events each, and after every call to one
 * stream that all writers share, until it has written `ROUNDS` times. Returns the number of events.
 */
async function write(store: EventStore, prefix: string, writer: number): Promise<number> {
  const heads = new Map<string, StreamHead>();
  let shared = GENESIS;
  let written = 0;

  for (let round = 0; round < ROUNDS; round += 1) {
    const appends = [];
    for (let n = round % 3; n < STREAMS_PER_WRITER; n += 1 + (writer % 2)) {
      const stream = `${prefix}${writer}/${n}`;
      const head = heads.get(stream) ?? GENESIS;
      const events = notes(`writer ${writer} round ${round}`, 1 + ((round + n) % 4), head);
      heads.set(stream, streams.headAfter(events, head));
      appends.push({ stream, expected_revision: head.revision, events });
    }
    expect(await store.appendMany(appends)).toEqual(
      appends.map(({ stream }) => streams.appended(heads.get(stream)!.revision)),
    );
    written += appends.reduce((sum, { events }) => sum + events.length, 0);

    const own = notes(`shared by writer ${writer} round ${round}`, 1, shared);
    const result = await streams.append(store, `${prefix}shared`, shared.revision, own);
    if (result.kind === 'appended') {
      shared = streams.headAfter(own, shared);
      written += 1;
      continue;
    }
    shared = await streams.headOf(store, `${prefix}shared`);
  }
  return written;
}

export function followingLive(stores: Stores): void {
  describe(`while ${WRITERS} writers append to many streams, a live subscriber`, () => {
    const subscribe = useFollow();

    it('sees every event once, in the global order, whenever and wherever it began', async () => {
      const [store, other] = stores();
      const prefix = freshPrefix();
      const first = subscribe(store, prefix);
      const elsewhere = subscribe(other, prefix, { batch_size: 333 });
      const writing = Promise.all(
        Array.from({ length: WRITERS }, (_, n) => write(stores()[n % 2]!, prefix, n)),
      );

      const { position } = (await first.reach(500))[250]!;
      const late = subscribe(store, prefix, { batch_size: 1000 });
      const joining = subscribe(other, prefix, { after: position, batch_size: 10 });
      const count = (await writing).reduce((sum, written) => sum + written, 0);
      expect(count).toBeGreaterThan(4000);
      // Another one, so that none that comes twice can hide behind the end.
      await streams.create(store, `${prefix}closing`, notes('the last one', 1));

      const all = await readUnder(other, prefix);
      expect(all).toHaveLength(count + 1);
      expect(all.at(-1)!.stream).toBe(`${prefix}closing`);
      expect(streams.followAll(all).size).toBe(WRITERS * STREAMS_PER_WRITER + 2);
      for (const subscriber of [first, elsewhere, late]) {
        expect(await subscriber.reach(count + 1)).toEqual(all);
      }
      expect(await joining.reach(count + 1 - 251)).toEqual(all.slice(251));
    }, 120_000);
  });
}
