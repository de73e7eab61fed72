import { GENESIS, type LinkedEvent } from '#libs/contracts';
import type { Stores } from '../contract.js';
import type { EventStore } from '../port.js';
import * as streams from './streams.js';

const { append, expectStream, freshPrefix, notes, readWhole } = streams;

/**
 * Appends `rounds` events, each at the revision that it last read, reading again after every conflict.
 * Returns what it was told that it wrote, with the revision it was told.
 */
async function race(store: EventStore, stream: string, label: string, rounds: number) {
  const won: { revision: number; event: LinkedEvent }[] = [];
  let head = GENESIS;
  while (won.length < rounds) {
    const [event] = notes(`${label} round ${won.length}`, 1, head);
    const result = await append(store, stream, head.revision, [event!]);
    if (result.kind === 'appended') {
      won.push({ revision: result.revision, event: event! });
      head = streams.headAfter([event!], head);
      continue;
    }
    expect(result).toEqual({ kind: 'conflict', actual_revision: expect.any(Number) });
    if (result.kind === 'conflict') expect(result.actual_revision).toBeGreaterThan(head.revision);
    head = await streams.headOf(store, stream);
  }
  return won;
}

export function racing(stores: Stores): void {
  describe('writers that race on one stream', () => {
    it.each([
      { writers: 2, rounds: 40 },
      { writers: 12, rounds: 8 },
    ])(
      'have one winner per revision, and $writers writers lose nothing',
      async ({ writers, rounds }) => {
        const stream = `${freshPrefix()}contested`;
        const won = await Promise.all(
          Array.from({ length: writers }, (_, n) =>
            race(stores()[n % 2]!, stream, `writer ${n}`, rounds),
          ),
        );
        const inOrder = won.flat().sort((a, b) => a.revision - b.revision);
        expect(inOrder.map((win) => win.revision)).toEqual(inOrder.map((_, n) => n));
        expect(inOrder).toHaveLength(writers * rounds);
        await expectStream(
          stores()[0],
          stream,
          inOrder.map((win) => win.event),
        );
        streams.followAll(await readWhole(stores()[1], stream));
      },
      60_000,
    );

    it('have one winner when all append at once at the same revision', async () => {
      const stream = `${freshPrefix()}contested`;
      const attempts = Array.from({ length: 20 }, (_, n) => notes(`writer ${n}`, 1 + (n % 4)));
      const results = await Promise.all(
        attempts.map((events, n) => append(stores()[n % 2]!, stream, -1, events)),
      );
      const winners = results.flatMap((result, n) => (result.kind === 'appended' ? [n] : []));
      expect(winners).toHaveLength(1);
      const winner = attempts[winners[0]!]!;
      for (const [n, result] of results.entries()) {
        const expected = n === winners[0] ? streams.appended : streams.conflict;
        expect(result).toEqual(expected(winner.length - 1));
      }
      await expectStream(stores()[0], stream, winner);
    });

    it('do not disturb each other on other streams', async () => {
      const prefix = freshPrefix();
      // Opposite orders, which must not lock each other out.
      const names = Array.from({ length: 40 }, (_, n) => `${prefix}${n}`);
      const rounds = Array.from({ length: 10 }, async (_, n) => {
        const order = n % 2 === 0 ? names : [...names].reverse();
        const own = order.map((name) => `${name}/${n}`);
        const appends = [...own, ...order].map((stream) => ({
          stream,
          expected_revision: -1,
          events: notes(`caller ${n}`, 2),
        }));
        const results = await stores()[n % 2]!.appendMany(appends);
        expect(results.slice(0, names.length)).toEqual(own.map(() => streams.appended(1)));
        const shared = results.slice(names.length);
        return order.filter((_name, i) => shared[i]!.kind === 'appended');
      });
      const won = (await Promise.all(rounds)).flat();
      expect(won.sort()).toEqual([...names].sort());
    }, 30_000);
  });
}
