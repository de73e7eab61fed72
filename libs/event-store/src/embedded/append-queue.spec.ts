import type { AppendResult, StreamAppend } from '../port.js';
import { link } from '../contract/streams.js';
import { GENESIS } from '#libs/contracts';
import { newAppendQueue, type QueueLimits } from './append-queue.js';

const NONE: QueueLimits = { call: { events: 1e6, units: 1e6 }, waiting_units: 1e6 };

const one = (stream: string, expected_revision = -1, units = 10): StreamAppend => ({
  stream,
  expected_revision,
  events: link(GENESIS, ['x'.repeat(units)]),
});

/** A queue whose calls stay under way until they are answered by hand. */
function queueByHand(limits: QueueLimits = NONE) {
  const calls: { streams: string[]; answer(): void; fail(why: string): void }[] = [];
  const queue = newAppendQueue(
    (appends) =>
      new Promise((resolve, reject) => {
        const results = appends.map(({ expected_revision }): AppendResult => ({
          kind: 'appended',
          revision: expected_revision + 1,
        }));
        calls.push({
          streams: appends.map((append) => append.stream),
          answer: () => resolve(results),
          fail: (why) => reject(new Error(why)),
        });
      }),
    limits,
  );
  return { queue, calls };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const appended = (revision: number) => ({ kind: 'appended', revision });

it('sends in one call what came while the last one was under way', async () => {
  const { queue, calls } = queueByHand();
  const first = queue.append(one('a'));
  await turn();
  const rest = ['b', 'c', 'd'].map((stream) => queue.append(one(stream)));
  await turn();
  expect(calls.map((call) => call.streams)).toEqual([['a']]);
  calls[0]!.answer();
  await turn();
  expect(calls.map((call) => call.streams)).toEqual([['a'], ['b', 'c', 'd']]);
  calls[1]!.answer();
  expect(await first).toEqual(appended(0));
  expect(await Promise.all(rest)).toEqual([appended(0), appended(0), appended(0)]);
});

it('sends appends to one stream in separate calls, in order, without holding up others', async () => {
  const { queue, calls } = queueByHand();
  const results = [-1, 0, 1].map((revision) => queue.append(one('busy', revision)));
  results.push(queue.append(one('quiet')));
  for (const n of [0, 1, 2]) {
    await turn();
    calls[n]!.answer();
  }
  expect(calls.map((call) => call.streams)).toEqual([['busy', 'quiet'], ['busy'], ['busy']]);
  expect(await Promise.all(results)).toEqual([appended(0), appended(1), appended(2), appended(0)]);
});

it('cuts calls at the limits, and sends alone what is larger', async () => {
  const { queue, calls } = queueByHand({ ...NONE, call: { events: 2, units: 100 } });
  const appends = [one('a'), one('b'), one('c'), one('large', -1, 300), one('e', -1, 60)];
  const results = [...appends, one('f', -1, 60)].map((append) => queue.append(append));
  for (let n = 0; n < 5; n += 1) {
    await turn();
    calls[n]!.answer();
  }
  expect(calls.map((call) => call.streams)).toEqual([['a', 'b'], ['c'], ['large'], ['e'], ['f']]);
  expect(await Promise.all(results)).toEqual(results.map(() => appended(0)));
});

it('answers unknown for every append of a call that failed, and goes on', async () => {
  const { queue, calls } = queueByHand();
  const lost = [queue.append(one('a')), queue.append(one('b'))];
  await turn();
  const next = queue.append(one('a'));
  calls[0]!.fail('connection lost');
  const unknown = { kind: 'unknown', why: 'connection lost' };
  expect(await Promise.all(lost)).toEqual([unknown, unknown]);
  await turn();
  calls[1]!.answer();
  expect(await next).toEqual(appended(0));
});

it('holds no more than its limit, and sends nothing of what it turned away', async () => {
  const { queue, calls } = queueByHand({ ...NONE, waiting_units: 100 });
  const first = queue.append(one('a', -1, 60));
  const waiting = queue.append(one('b', -1, 40));
  expect(await queue.append(one('c', -1, 1))).toMatchObject({ kind: 'unknown' });
  await turn();
  expect(calls.map((call) => call.streams)).toEqual([['a', 'b']]);
  const room = queue.append(one('d', -1, 100));
  calls[0]!.answer();
  await turn();
  calls[1]!.answer();
  expect(calls[1]!.streams).toEqual(['d']);
  expect(await Promise.all([first, waiting, room])).toEqual([0, 0, 0].map(appended));
});

it('is drained when nothing waits and nothing is under way', async () => {
  const { queue, calls } = queueByHand();
  await queue.drained();
  const steps: string[] = [];
  const results = [one('a'), one('a', 0)].map((append) =>
    queue.append(append).then(() => steps.push('answered')),
  );
  const drained = queue.drained().then(() => steps.push('drained'));
  await turn();
  calls[0]!.answer();
  await turn();
  expect(steps).toEqual(['answered']);
  calls[1]!.answer();
  await Promise.all([...results, drained]);
  expect(steps).toEqual(['answered', 'answered', 'drained']);
});
