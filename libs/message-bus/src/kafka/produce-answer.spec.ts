import response from 'kafkajs/src/protocol/requests/produce/v7/response.js';
import { answerBehind, refusedTargets, type ProduceAnswer } from './produce-answer.js';

const sent = [
  { topic: 'usage', partition: 0 },
  { topic: 'usage', partition: 1 },
  { topic: 'decisions', partition: 0 },
];

const result = (partition: number, errorCode = 0, baseOffset = '7') => ({
  partition,
  errorCode,
  baseOffset,
});

const answer = (...usage: ReturnType<typeof result>[]): ProduceAnswer => ({
  topics: [
    { topicName: 'usage', partitions: usage },
    { topicName: 'decisions', partitions: [result(0)] },
  ],
});

const refusals = (given: ProduceAnswer | undefined) =>
  [...refusedTargets(given, sent)].map(
    ([{ topic, partition }, error]) => `${topic}/${partition}: ${error.message}`,
  );

describe('client hazard 1: what an answer does not say was written counts as not written', () => {
  it('accepts an answer that holds everything', () => {
    expect(refusals(answer(result(0), result(1)))).toEqual([]);
  });

  it.each([
    ['a partition is missing', answer(result(0))],
    ['a partition has no offset', answer(result(0), result(1, 0, '-1'))],
  ])('%s', (_what, given) => {
    expect(refusals(given)).toEqual(['usage/1: usage/1 is not acknowledged']);
  });

  it('an error is the one of its partition alone', () => {
    const refused = refusedTargets(answer(result(0), result(1, 6)), sent);
    expect([...refused.keys()]).toEqual([sent[1]]);
    expect(refused.get(sent[1]!)).toMatchObject({
      type: 'NOT_LEADER_FOR_PARTITION',
      retriable: true,
    });
    expect(refusedTargets(answer(result(0), result(1, 10)), sent).get(sent[1]!)).toMatchObject({
      type: 'MESSAGE_TOO_LARGE',
      retriable: false,
    });
  });

  it('no answer, or one that names nothing, acknowledges nothing', () => {
    expect(refusals(undefined)).toHaveLength(3);
    expect(refusals({ topics: [] })).toHaveLength(3);
  });
});

it('keeps the answer that kafkajs drops when it throws one partition’s error', async () => {
  const given = answer(result(0), result(1, 6));
  const error: unknown = await response.parse(given).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ type: 'NOT_LEADER_FOR_PARTITION' });
  expect(answerBehind(error)).toBe(given);
  expect(answerBehind(new Error('a connection closed'))).toBeUndefined();
});
