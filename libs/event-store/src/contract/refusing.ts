import { GENESIS, linkEvent, type LinkedEvent } from '#libs/contracts';
import type { Stores } from '../contract.js';
import type { StreamAppend } from '../port.js';
import * as streams from './streams.js';

const { append, appended, expectStream, freshPrefix, link, notes } = streams;

const good = linkEvent(GENESIS, 'Noted', '{"note":"well formed"}').event;
const refused = { kind: 'refused', why: expect.any(String) };

const malformedEvents: readonly (readonly [what: string, event: LinkedEvent])[] = [
  ['an empty type', { ...good, type: '' }],
  ['a type with a control character', { ...good, type: 'No\u0000ted' }],
  ['an id that is no UUID', { ...good, event_id: 'e-1' }],
  ['an id without hyphens', { ...good, event_id: good.event_id.replaceAll('-', '') }],
  ['an id in capitals', { ...good, event_id: good.event_id.toUpperCase() }],
  ['the nil UUID', { ...good, event_id: '00000000-0000-0000-0000-000000000000' }],
  ['empty data', { ...good, data: '' }],
  ['half an object as data', { ...good, data: '{"note":' }],
  ['data that is not JSON', { ...good, data: 'note' }],
  ['a list as data', { ...good, data: '[{"note":"a"}]' }],
  ['data with a raw NUL', { ...good, data: '{"note":"\u0000"}' }],
  ['data with half a surrogate pair', { ...good, data: '{"note":"\ud83d"}' }],
  ['metadata that is not JSON', { ...good, meta: 'chain' }],
];

const malformedAppends: readonly (readonly [what: string, append: Partial<StreamAppend>])[] = [
  ['no events', { events: [] }],
  ['an empty stream name', { stream: '' }],
  ['a stream name with a control character', { stream: `${freshPrefix()}a\u0000b` }],
  ['an expected revision below -1', { expected_revision: -2 }],
  ['an expected revision that is no whole number', { expected_revision: 0.5 }],
];

export function refusing(stores: Stores): void {
  /** Sends `odd` between two good appends, which must not notice it. */
  async function sendBetweenGood(odd: StreamAppend, prefix: string): Promise<void> {
    const [store] = stores();
    const events = notes('good neighbour', 2);
    const results = await store.appendMany([
      { stream: `${prefix}before`, expected_revision: -1, events },
      odd,
      { stream: `${prefix}after`, expected_revision: -1, events },
    ]);
    expect(results).toEqual([appended(1), refused, appended(1)]);
    await expectStream(store, `${prefix}before`, events);
    await expectStream(store, `${prefix}after`, events);
  }

  describe('refused before it is sent, beside unharmed neighbours, is an append with', () => {
    it.each(malformedEvents)('%s', async (_, event) => {
      const prefix = freshPrefix();
      const stream = `${prefix}odd`;
      const events = [...notes('in front of it', 1), event];
      await sendBetweenGood({ stream, expected_revision: -1, events }, prefix);
      await expectStream(stores()[0], stream, []);
    });

    it.each(malformedAppends)('%s', async (_, odd) => {
      const prefix = freshPrefix();
      const stream = `${prefix}odd`;
      const events = notes('nowhere', 1);
      await sendBetweenGood({ stream, expected_revision: -1, events, ...odd }, prefix);
      await expectStream(stores()[0], stream, []);
    });

    it('more than limits.max_events events', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const events = notes('too many', store.limits.max_events + 1);
      await sendBetweenGood({ stream: `${prefix}odd`, expected_revision: -1, events }, prefix);
      await expectStream(store, `${prefix}odd`, []);
    }, 30_000);

    it('more than limits.max_bytes of data, counted in bytes of UTF-8', async () => {
      const [store] = stores();
      const prefix = freshPrefix();
      const half = JSON.stringify({ note: 'é'.repeat(Math.ceil(store.limits.max_bytes / 4)) });
      const events = link(GENESIS, [half, half]);
      await sendBetweenGood({ stream: `${prefix}odd`, expected_revision: -1, events }, prefix);
      await expectStream(store, `${prefix}odd`, []);
    }, 30_000);
  });

  it('limits.max_events events, and limits.max_bytes of data, are accepted', async () => {
    const [store] = stores();
    const { max_events, max_bytes } = store.limits;
    const prefix = freshPrefix();
    const many = notes('just enough', max_events);
    const first = Math.floor(max_bytes / 2);
    const texts = [first, max_bytes - first].map((bytes) =>
      JSON.stringify({ note: 'x'.repeat(bytes - '{"note":""}'.length) }),
    );
    const large = link(GENESIS, texts);
    expect(await append(store, `${prefix}many`, -1, many)).toEqual(appended(max_events - 1));
    expect(await append(store, `${prefix}large`, -1, large)).toEqual(appended(1));
    await expectStream(store, `${prefix}many`, many);
    await expectStream(store, `${prefix}large`, large);
  }, 60_000);
}
