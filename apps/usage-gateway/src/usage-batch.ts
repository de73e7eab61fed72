import type { UnsentRequest } from '#libs/contracts';
import { jsonText, readBy, unavailable, type Answer, type FieldError } from '#libs/http';
import { RETRY_AFTER_SECONDS } from './answers.js';
import { UsageBody, type UsageBatchAnswer } from './bodies.js';
import type { Settled } from './gateway.js';
import { futureErrors, usageRequested, type Stamp } from './ledger-requests.js';

/** What a batch asks for, and what of it cannot be read; `index` is the place in the batch. */
export interface ReadBatch {
  readonly requests: readonly UnsentRequest[];
  /** Of each request. */
  readonly indexes: readonly number[];
  readonly invalid: UsageBatchAnswer['invalid'];
}

export function readBatch(values: readonly unknown[], stamp: Stamp): ReadBatch {
  const requests: UnsentRequest[] = [];
  const indexes: number[] = [];
  const invalid: UsageBatchAnswer['invalid'] = [];
  for (const [index, value] of values.entries()) {
    const read = readUsage(value, stamp);
    if ('errors' in read) {
      invalid.push({ index, errors: read.errors });
    } else {
      requests.push(read.request);
      indexes.push(index);
    }
  }
  return { requests, indexes, invalid };
}

function readUsage(
  value: unknown,
  stamp: Stamp,
): { request: UnsentRequest } | { errors: FieldError[] } {
  const read = readBy(UsageBody, value);
  if ('errors' in read) return read;
  const errors = futureErrors(read.data.occurred_at, stamp.now_ms);
  return errors.length > 0 ? { errors } : { request: usageRequested(read.data, stamp) };
}

/**
 * 200 when the caller waited and all are decided, 202 when all are durable. Throws a 503 problem
 * when nobody knows whether all of them are.
 */
export function batchAnswer(batch: ReadBatch, settled: Settled, waited: boolean): Answer {
  const { indexes, invalid } = batch;
  const { decided, undecided, durable } = settled;
  if (!durable) {
    const detail = 'whether they were accepted is unknown: repeat them with the same ids';
    throw unavailable('not_known_to_be_accepted', detail, RETRY_AFTER_SECONDS);
  }
  // Each decision as the writer wrote it, with its index in front: nothing is encoded again.
  const decisions = indexes.flatMap((index, place) => {
    const json = decided[place]?.json;
    return json === undefined ? [] : [`{"index":${index},${json.slice(json.indexOf('{') + 1)}`];
  });
  const head = jsonText({ accepted: indexes.length, undecided, invalid }).slice(0, -1);
  const json = `${head},"decisions":[${decisions.join()}]}`;
  return { status: waited && undecided === 0 ? 200 : 202, json };
}
