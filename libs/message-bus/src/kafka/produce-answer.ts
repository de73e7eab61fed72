import kafkajsErrors from 'kafkajs/src/protocol/error.js';
import response, { type ProduceAnswer } from 'kafkajs/src/protocol/requests/produce/v7/response.js';

export type { ProduceAnswer };

/** kafkajs throws the error of one partition and drops the answer, which says what was written. */
const answers = new WeakMap<object, ProduceAnswer>();
const { parse } = response;
response.parse = (answer) =>
  parse(answer).catch((error: object) => {
    answers.set(error, answer);
    throw error;
  });

/** The broker's answer behind an error of a produce request; undefined when there was none. */
export const answerBehind = (error: unknown): ProduceAnswer | undefined =>
  answers.get(error as object);

interface Target {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Why each target of a request is not known to be written; those that are have no entry. kafkajs
 * resolves although a partition is missing (client hazard 1): every one must be in the answer, without
 * an error, and with the offset that it got.
 */
export function refusedTargets<T extends Target>(
  answer: ProduceAnswer | undefined,
  sent: readonly T[],
): Map<T, Error> {
  const results = new Map<string, ProduceAnswer['topics'][0]['partitions'][0]>(
    (answer?.topics ?? []).flatMap(({ topicName, partitions }) =>
      partitions.map((result) => [`${topicName}/${result.partition}`, result] as const),
    ),
  );
  const refused = new Map<T, Error>();
  for (const target of sent) {
    const name = `${target.topic}/${target.partition}`;
    const result = results.get(name);
    if (result === undefined || (result.errorCode === 0 && Number(result.baseOffset) < 0))
      refused.set(target, new Error(`${name} is not acknowledged`));
    else if (result.errorCode !== 0)
      refused.set(target, kafkajsErrors.createErrorFromCode(result.errorCode));
  }
  return refused;
}
