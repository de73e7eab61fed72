import { keyIn, message, until } from '../../contract-bench.js';
import { memoryMessageBus } from '../memory/memory-bus.js';
import { HoldsLane, type ReceivedMessage } from '../port.js';

const PARTITIONS = 3;
const [sick, ...well] = Array.from({ length: PARTITIONS }, (_, one) => keyIn(one, PARTITIONS));

/** One lane, in which the handler fails with this until it is cured. */
function failingWith(error: Error) {
  const bus = memoryMessageBus({
    topics: ['usage', 'requests'],
    partitions: PARTITIONS,
    retry: { min_ms: 1, max_ms: 10 },
  });
  const done: ReceivedMessage[] = [];
  let failures = 0;
  let isCured = false;
  const consume = () =>
    bus.consume({
      group: 'g',
      topics: ['usage', 'requests'],
      max_batch: 100,
      handler: async (messages) => {
        if (!isCured && messages.some(({ value }) => value === 'sick')) {
          failures += 1;
          throw error;
        }
        done.push(...messages);
      },
    });
  const isDone = (...values: string[]) =>
    values.every((value) => done.some((one) => one.value === value));
  const failTwice = () => {
    const before = failures;
    return until(() => failures >= before + 2);
  };
  return { bus, consume, done, isDone, failTwice, cure: () => (isCured = true) };
}

it.each<[string, Error]>([
  ['says that it is not of one partition', new HoldsLane('the log is shorter than it was')],
  ['says that a server is away', Object.assign(new Error('x'), { code: 'ECONNREFUSED' })],
])('holds the whole lane while a batch fails that %s', async (_, error) => {
  const { bus, consume, done, failTwice, cure } = failingWith(error);
  await bus.publish('usage', [message(sick!, 'sick'), message(well[0]!, 'early')]);
  await consume();
  await failTwice(); // another failure would be taken apart by now
  await bus.publish('usage', [message(well[1]!, 'later')]);
  await failTwice();
  expect(done).toEqual([]);
  cure();
  await until(() => done.length === 3);
  await bus.close();
});

it('lets a partition wait as a whole: a grant and the usage behind it, on two topics', async () => {
  const { bus, consume, done, isDone, cure } = failingWith(new Error('not yet'));
  await bus.publish('requests', [message(sick!, 'sick'), message(sick!, 'grant')]);
  await bus.publish('usage', [message(sick!, 'usage'), message(well[0]!, 'other')]);
  await consume();
  await until(() => isDone('other'));
  await bus.publish('usage', [message(sick!, 'more usage'), message(well[1]!, 'another')]);
  await until(() => isDone('another'));
  expect(done.map(({ value }) => value)).toEqual(['other', 'another']);
  cure();
  await until(() => isDone('sick', 'grant', 'usage', 'more usage'));
  await bus.close();
});
