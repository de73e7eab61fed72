import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordedEvent } from '../port.js';
import { joinExchange, type Exchange } from './exchange.js';

let joined: Exchange[] = [];
afterEach(() => {
  for (const exchange of joined) exchange.close();
  joined = [];
});

function join(name: string) {
  const told: [number, readonly RecordedEvent[]][] = [];
  const exchange = joinExchange(name, (...one) => told.push(one));
  joined.push(exchange);
  return { ...exchange, told };
}

const events = (from: number, count: number): RecordedEvent[] =>
  Array.from({ length: count }, (_, n) => ({
    position: String(from + n),
    stream: `account-acme/${n}`,
    revision: n,
    event_id: `id-${from + n}`,
    type: 'UsageConsumed',
    data: `{"n":"ü${n}"}`,
    meta: '{}',
  }));

it('hands the others of the same name what was committed, in order; nothing to itself', async () => {
  const [one, other, third, stranger] = [join('a'), join('a'), join('a'), join('b')];
  one.tell(0, events(1, 3));
  one.tell(3, events(4, 2));
  while (third.told.length < 2 || other.told.length < 2) await sleep(1);
  const expected = [
    [0, events(1, 3)],
    [3, events(4, 2)],
  ];
  expect(other.told).toEqual(expected);
  expect(third.told).toEqual(expected);
  expect([one.told, stranger.told]).toEqual([[], []]);
});

it('hands over nothing to who has left', async () => {
  const [one, other, third] = [join('a'), join('a'), join('a')];
  other.close();
  one.tell(0, events(1, 1));
  while (third.told.length < 1) await sleep(1);
  expect(other.told).toEqual([]);
});
