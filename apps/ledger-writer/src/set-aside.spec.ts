import { TOPICS } from '#libs/contracts';
import { deliveries, grant, publication, usage } from '../../../test/fixtures/requests.js';
import { eventsOf, fundedWorld, writerOn } from '../../../test/fixtures/writer.js';

const NOON = Date.UTC(2026, 0, 31, 12);
const HOUR_MS = 3_600_000;
const atNoon = () => NOON;
const inAnHour = () => NOON + HOUR_MS;

/** A world with two records that the broker stamped an hour ahead. */
async function worldAhead() {
  const { world, deliver } = await fundedWorld();
  const ahead = deliveries(TOPICS.usage, NOON + HOUR_MS)([usage('u-1'), usage('u-2')]);
  return { world, deliver, ahead };
}

const reasonsOf = ({ letters }: Awaited<ReturnType<ReturnType<typeof writerOn>['handle']>>) =>
  letters.map(({ reason, source }) => [reason, source.offset]);

it('F25: what was set aside becomes a dead letter, and what is behind it is decided', async () => {
  const { world, deliver, ahead } = await worldAhead();
  const batch = [...ahead, ...deliver([usage('u-3'), grant('g-o', '5', { account_id: 'other' })])];
  const writer = writerOn(world, { clock: atNoon });
  await expect(writer.handle(batch)).rejects.toThrow(
    'ledger.usage/0/0 is stamped 2026-01-31T13:00:00.000Z, more than 10 minutes ahead',
  );
  world.read_side.setAside([ahead[0]!]);
  await expect(writer.handle(batch)).rejects.toThrow('ledger.usage/0/1 is stamped');
  world.read_side.setAside(ahead);
  const done = await writer.handle(batch);
  expect(reasonsOf(done)).toEqual([
    ['stamped_in_future', 0],
    ['stamped_in_future', 1],
  ]);
  expect(done.decisions.map(({ request_id }) => request_id).sort()).toEqual(['g-o', 'u-3']);
  // Their stamps have not moved the account's time.
  expect(eventsOf(world).at(-1)).toMatchObject({ recorded_at: '2026-01-31T12:00:00.001Z' });
});

it('F6: delivered again when its time has come, to any writer, it is refused again', async () => {
  const { world, deliver, ahead } = await worldAhead();
  world.read_side.setAside(ahead);
  await writerOn(world, { clock: atNoon }).handle(ahead); // and is killed before its commit
  for (const clock of [atNoon, inAnHour]) {
    const again = await writerOn(world, { clock }).handle([...ahead, ...deliver([usage('u-3')])]);
    expect(reasonsOf(again)).toHaveLength(2);
  }
  expect(eventsOf(world).map(({ type }) => type)).toEqual(['CreditsGranted', 'UsageConsumed']);
});

it('F4: a writer that looked before it was set aside does not decide it later', async () => {
  const { world, ahead } = await worldAhead();
  let now_ms = NOON;
  const slow = writerOn(world, {
    clock: () => now_ms,
    read_side: {
      ...world.read_side,
      async setAsideAmong(messages) {
        const seen = await world.read_side.setAsideAmong(messages);
        world.read_side.setAside(ahead);
        now_ms += HOUR_MS;
        return seen;
      },
    },
  });
  await expect(slow.handle(ahead)).rejects.toThrow('10 minutes ahead');
  expect(eventsOf(world)).toHaveLength(1);
});

it('a redrive of it is decided, once', async () => {
  const { world, deliver, ahead } = await worldAhead();
  world.read_side.setAside(ahead);
  await writerOn(world).handle(ahead);
  const { decisions } = await writerOn(world).handle(deliver([usage('u-1'), usage('u-1')]));
  expect(decisions).toMatchObject([
    { outcome: 'consumed', replayed: false },
    { outcome: 'consumed', replayed: true },
  ]);
});

it('what a writer whose clock was ahead has decided is answered as it was decided', async () => {
  const { world, ahead } = await worldAhead();
  await writerOn(world, { clock: inAnHour }).handle([ahead[0]!]); // and is killed before its commit
  world.read_side.project();
  world.read_side.setAside(ahead);
  const again = await writerOn(world, { clock: atNoon }).handle(ahead);
  expect(again.decisions).toMatchObject([{ request_id: 'u-1', replayed: true }]);
  expect(reasonsOf(again)).toEqual([['stamped_in_future', 1]]);
  expect(eventsOf(world)).toHaveLength(2);
});

const NEW_PRICES = publication('p-1', {
  version: 'v2',
  effective_from: '2026-01-31T15:00:00.000Z',
  prices: { 'text.generation': { credits: '1' } },
});
const requestsAhead = deliveries(TOPICS.requests, NOON + HOUR_MS);

it('holds for a price book too, and for what cannot be read', async () => {
  const { world } = await fundedWorld();
  const ahead = requestsAhead([NEW_PRICES, { key: 'acme/acct-1', value: '{' }]);
  world.read_side.setAside(ahead);
  const done = await writerOn(world, { clock: atNoon }).handle(ahead);
  expect(reasonsOf(done)).toEqual([
    ['undecodable', 1],
    ['stamped_in_future', 0],
  ]);
  expect(world.log.streams.get('pricebook-acme')).toHaveLength(1); // the shipped one
});

it('answers a price book as it was decided before it was set aside', async () => {
  const { world } = await fundedWorld();
  const ahead = requestsAhead([NEW_PRICES]);
  await writerOn(world, { clock: inAnHour }).handle(ahead); // and is killed before its commit
  world.read_side.setAside(ahead);
  const again = await writerOn(world, { clock: atNoon }).handle(ahead);
  expect(again.decisions).toMatchObject([{ outcome: 'price_book_published', replayed: true }]);
  expect(again.letters).toEqual([]);
});
