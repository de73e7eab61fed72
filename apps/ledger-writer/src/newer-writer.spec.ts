import { linkEvent, WrittenByNewer, type PriceBook, type UsageConsumed } from '#libs/contracts';
import { memoryEventStore } from '#libs/event-store';
import { deliveries, grant, usage } from '../../../test/fixtures/requests.js';
import {
  eventsOf,
  fundedWorld,
  newWorld,
  SHIPPED,
  writerOn,
} from '../../../test/fixtures/writer.js';
import { PriceBookCache } from './price-book-cache.js';

const STREAM = 'account-acme/acct-1';

/** A funded account to which a newer version of the writer has added an event. */
async function worldOfNewer(differs: object) {
  const { world, deliver } = await fundedWorld();
  await writerOn(world).handle(deliver([usage('r-0')]));
  const [, used] = world.log.streams.get(STREAM)!;
  const head = { revision: 1, chain: (JSON.parse(used!.meta) as { chain: string }).chain };
  const data = JSON.stringify({ ...JSON.parse(used!.data), request_id: 'r-new', ...differs });
  const append = {
    stream: STREAM,
    expected_revision: 1,
    events: [linkEvent(head, 'X', data).event],
  };
  await memoryEventStore(world.log).appendMany([append]);
  return { world, deliver };
}

describe('F29: what a newer writer of the group wrote', () => {
  it.each([
    ['an event of a new type', { type: 'CreditsReserved' }],
    ['an event with a new field', { surprise: 1 }],
    ['an event with a new schema', { schema: 2 }],
    ['a reason that is new', { type: 'UsageRejected', reason: 'limit_exceeded' }],
  ])('is waited for, and parks nobody: %s', async (_what, differs) => {
    const { world, deliver } = await worldOfNewer(differs);
    const batch = deliver([usage('r-1'), grant('g-o', '9', { account_id: 'other' })]);
    await expect(writerOn(world).handle(batch)).rejects.toThrow(WrittenByNewer);
    await expect(writerOn(world).handle(batch)).rejects.toThrow(WrittenByNewer);
    expect(world.read_side.parked.size).toBe(0);
    expect(world.log.streams.get(STREAM)).toHaveLength(3);
  });

  it('is waited for when it is the answer that the request already has', async () => {
    const { world, deliver } = await fundedWorld();
    const { read_side } = world;
    const lookUp: typeof read_side.lookUp = async (questions) => ({
      accounts: (await read_side.lookUp(questions)).accounts,
      decisions: questions.requests.map(() => new WrittenByNewer('cannot be read')),
    });
    const writer = writerOn(world, { read_side: { ...read_side, lookUp } });
    await expect(writer.handle(deliver([usage('r-1')]))).rejects.toThrow(WrittenByNewer);
    expect(world.read_side.parked.size).toBe(0);
    expect(eventsOf(world)).toHaveLength(1);
  });

  it('prices a new tenant alike, whichever of two shipped price books comes first', async () => {
    const world = newWorld();
    const newer = { ...SHIPPED, version: 'test-2' as PriceBook['version'] };
    const price_books = new PriceBookCache(memoryEventStore(world.log), newer);
    const deliver = deliveries();
    const others = { account_id: 'other' };
    await Promise.all([
      writerOn(world).handle(deliver([grant('g-1', '5'), usage('r-1')])),
      writerOn(world, { price_books }).handle(
        deliver([grant('g-2', '5', others), usage('r-2', others)]),
      ),
    ]);
    const [one, other] = [eventsOf(world)[1], eventsOf(world, 'other')[1]];
    expect(one).toMatchObject({ price_book_version: expect.stringMatching(/^test-[12]$/) });
    expect(other).toMatchObject({ price_book_version: (one as UsageConsumed).price_book_version });
  });
});
