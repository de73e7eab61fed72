import type { Instant } from '#libs/contracts';
import { isUtf8 } from 'node:buffer';
import type { MessageValue, ReceivedMessage } from '../port.js';

/** A message on its way into a partition: its value is normalised, its key well-formed. */
export interface BusRecord {
  readonly key: string | null;
  readonly value: MessageValue;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where a batch stands. */
export interface BatchPlace {
  readonly topic: string;
  readonly partition: number;
  /** Offset of its first message. */
  readonly base: number;
  readonly timestamp: Instant;
}

type Headers = BusRecord['headers'];
/** Key, length of the value in the text (null: no value), headers if any; 1 if the value is base64. */
type Head = [key: string | null, length: number | null, headers?: Headers, base64?: 1];

const NO_HEADERS: Headers = Object.freeze({});
const SEPARATOR = '\n';

/**
 * The batch as one text: a line of JSON that describes the records, then their values end to end. So
 * a value is neither escaped nor searched; only one that text of Postgres cannot hold is base64.
 */
export function encodeBatch(records: readonly BusRecord[]): string {
  const heads: Head[] = [];
  let values = '';
  for (const { key, value, headers } of records) {
    const isPlain = typeof value === 'string' && !value.includes('\0');
    const text = value === null ? '' : isPlain ? value : Buffer.from(value).toString('base64');
    const head: Head = [key, value === null ? null : text.length];
    for (const _ in headers) {
      head[2] = headers;
      break;
    }
    if (value !== null && !isPlain) {
      head[2] ??= NO_HEADERS;
      head[3] = 1;
    }
    heads.push(head);
    values += text;
  }
  return JSON.stringify(heads) + SEPARATOR + values;
}

export function decodeBatch(payload: string, place: BatchPlace): ReceivedMessage[] {
  const line = payload.indexOf(SEPARATOR);
  const heads = JSON.parse(payload.slice(0, line)) as Head[];
  let at = line + SEPARATOR.length;
  return heads.map(([key, length, headers, base64], index) => {
    const text = length === null ? null : payload.slice(at, (at += length));
    const value = text !== null && base64 === 1 ? fromBase64(text) : text;
    return received(place, index, { key, value, headers: headers ?? NO_HEADERS });
  });
}

function fromBase64(text: string): MessageValue {
  const bytes = Buffer.from(text, 'base64');
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes;
}

/** What a reader of the batch gets, without the way through the database. */
export const receive = (records: readonly BusRecord[], place: BatchPlace): ReceivedMessage[] =>
  records.map((record, index) => received(place, index, record));

const received = (place: BatchPlace, index: number, record: BusRecord): ReceivedMessage => ({
  topic: place.topic,
  partition: place.partition,
  offset: place.base + index,
  timestamp: place.timestamp,
  key: record.key,
  value: record.value,
  headers: record.headers,
});
