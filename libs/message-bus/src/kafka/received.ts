import type { Batch, IHeaders, KafkaMessage } from 'kafkajs';
import { instantOf, type Instant } from '#libs/contracts';
import { normalValue } from '../message-value.js';
import type { ReceivedMessage } from '../port.js';
import { TopicUnfit } from './errors.js';

const LOG_APPEND_TIME = 1;

/** Whose time the records of one producer's batch bear; kafkajs has it, its types do not. */
interface StampedMessage {
  readonly batchContext?: { readonly timestampType?: number };
}

/** Throws TopicUnfit when a producer's clock, instead of the broker's, stamped a message. */
export function receivedMessages({ topic, partition, messages }: Batch): ReceivedMessage[] {
  let stamp = '';
  let timestamp = '' as Instant;
  return messages.map((message) => {
    if (!isStampedByBroker(message))
      throw new TopicUnfit(`${topic}/${partition}/${message.offset} bears its producer's time`);
    // All messages of a producer's batch bear one time: it is formatted once.
    if (message.timestamp !== stamp) {
      stamp = message.timestamp;
      timestamp = instantOf(Number(stamp));
    }
    return {
      topic,
      partition,
      offset: Number(message.offset),
      timestamp,
      key: message.key === null ? null : message.key.toString('utf8'),
      value: normalValue(message.value),
      headers: textHeaders(message.headers),
    };
  });
}

const isStampedByBroker = (message: KafkaMessage): boolean =>
  (message as StampedMessage).batchContext?.timestampType === LOG_APPEND_TIME;

const NO_HEADERS = Object.freeze({});

function textHeaders(headers: IHeaders | undefined): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  let some = false;
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    texts[name] = last === undefined || last === null ? '' : last.toString('utf8');
    some = true;
  }
  return some ? texts : NO_HEADERS;
}
