import type { AppendResult, StreamAppend } from '../port.js';
import * as protobuf from './protobuf.js';

const { fieldSize, lengthTag, MessageReader, putField, putVarint, varintSize, varintTag } =
  protobuf;

/** Two halves of a correlation id: one per call, and one counting up within it. */
interface CorrelationId {
  readonly high: number;
  readonly low: number;
}

interface AppendAnswer {
  /** 0/0 when the answer names none that we could have sent. */
  readonly to: CorrelationId;
  readonly result: AppendResult;
}

/** The type of an event and its content type, as entries of the metadata map. */
const metadataByType = new Map<string, Buffer>();
const REMEMBERED_TYPES = 1_000;

const UUID_LENGTH = 36;
/** The event's id: a UUID message that holds it as text. */
const ID_FIELD = Buffer.from([lengthTag(1), UUID_LENGTH + 2, lengthTag(2), UUID_LENGTH]);

function encodedMetadata(type: string): Buffer {
  const known = metadataByType.get(type);
  if (known !== undefined) return known;
  const entries = [mapEntry('type', type), mapEntry('content-type', 'application/json')];
  const encoded = Buffer.concat(entries);
  if (metadataByType.size >= REMEMBERED_TYPES) metadataByType.clear();
  metadataByType.set(type, encoded);
  return encoded;
}

function mapEntry(key: string, value: string): Buffer {
  const entry = Buffer.concat([textField(1, key), textField(2, value)]);
  return Buffer.concat([lengthPrefix(lengthTag(2), entry.length), entry]);
}

function textField(field: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([lengthPrefix(lengthTag(field), bytes.length), bytes]);
}

function lengthPrefix(tag: number, length: number): Buffer {
  const bytes = Buffer.alloc(1 + varintSize(length));
  putField(bytes, 0, tag, length);
  return bytes;
}

/**
 * One append as one BatchAppendReq: all its events, and final. It names no deadline: the server would
 * compare it with its own clock, once, on arrival, and refuse everything when the clocks differ.
 */
export function encodeAppend(to: CorrelationId, append: StreamAppend): Buffer {
  const { stream, expected_revision, events } = append;
  const name_length = Buffer.byteLength(stream);
  const identifier_length = fieldSize(name_length);
  const options_length =
    fieldSize(identifier_length) + (expected_revision < 0 ? 2 : 1 + varintSize(expected_revision));
  const structured_length = 2 + varintSize(to.high) + varintSize(to.low);
  const correlation_length = fieldSize(structured_length);
  const sized = events.map(({ type, data, meta }) => {
    const metadata = encodedMetadata(type);
    const data_length = Buffer.byteLength(data);
    const meta_length = Buffer.byteLength(meta);
    const length =
      ID_FIELD.length +
      UUID_LENGTH +
      metadata.length +
      fieldSize(meta_length) +
      fieldSize(data_length);
    return { metadata, data_length, meta_length, length };
  });
  const size =
    fieldSize(correlation_length) +
    fieldSize(options_length) +
    sized.reduce((sum, { length }) => sum + fieldSize(length), 0) +
    2;

  const bytes = Buffer.allocUnsafe(size);
  let at = putField(bytes, 0, lengthTag(1), correlation_length);
  at = putField(bytes, at, lengthTag(1), structured_length);
  bytes[at++] = varintTag(1);
  at = putVarint(bytes, at, to.high);
  bytes[at++] = varintTag(2);
  at = putVarint(bytes, at, to.low);

  at = putField(bytes, at, lengthTag(2), options_length);
  at = putField(bytes, at, lengthTag(1), identifier_length);
  at = putField(bytes, at, lengthTag(3), name_length);
  at += bytes.write(stream, at);
  if (expected_revision < 0) {
    at = putField(bytes, at, lengthTag(3), 0); // no_stream
  } else {
    bytes[at++] = varintTag(2);
    at = putVarint(bytes, at, expected_revision);
  }

  for (const [n, { event_id, data, meta }] of events.entries()) {
    const { metadata, data_length, meta_length, length } = sized[n]!;
    at = putField(bytes, at, lengthTag(3), length);
    at += ID_FIELD.copy(bytes, at);
    at += bytes.write(event_id, at, 'latin1');
    at += metadata.copy(bytes, at);
    at = putField(bytes, at, lengthTag(3), meta_length);
    at += bytes.write(meta, at);
    at = putField(bytes, at, lengthTag(4), data_length);
    at += bytes.write(data, at);
  }
  bytes[at++] = varintTag(4);
  bytes[at] = 1;
  return bytes;
}

/** Throws for what is no BatchAppendResp. */
export function decodeAppendAnswer(bytes: Buffer): AppendAnswer {
  const reader = new MessageReader(bytes);
  let to: CorrelationId = { high: 0, low: 0 };
  let result: AppendResult = { kind: 'unknown', why: 'an answer that says nothing' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthTag(1)) to = correlationId(reader.message());
    else if (tag === lengthTag(2)) result = failure(reader.message());
    else if (tag === lengthTag(3)) result = success(reader.message());
    else reader.skip(tag);
  }
  return { to, result };
}

function correlationId(uuid: protobuf.MessageReader): CorrelationId {
  let [high, low] = [0, 0];
  for (let tag = uuid.tag(); tag !== 0; tag = uuid.tag()) {
    if (tag !== lengthTag(1)) {
      uuid.skip(tag);
      continue;
    }
    const structured = uuid.message();
    for (let half = structured.tag(); half !== 0; half = structured.tag()) {
      if (half === varintTag(1)) high = structured.varint();
      else if (half === varintTag(2)) low = structured.varint();
      else structured.skip(half);
    }
  }
  return { high, low };
}

function success(reader: protobuf.MessageReader): AppendResult {
  // Protobuf leaves out a revision of 0 only outside of a oneof; without one there is no stream.
  let revision = -1;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintTag(1)) revision = reader.varint();
    else reader.skip(tag);
  }
  return { kind: 'appended', revision };
}

/** What the server says before it has written anything, and would say again. */
const REFUSALS = new Set([
  'AccessDenied',
  'BadRequest',
  'InvalidTransaction',
  'MaximumAppendSizeExceeded',
  'StreamDeleted',
]);

function failure(status: protobuf.MessageReader): AppendResult {
  let name = '';
  let details: protobuf.MessageReader | undefined;
  for (let tag = status.tag(); tag !== 0; tag = status.tag()) {
    if (tag === lengthTag(2)) name = status.text();
    else if (tag === lengthTag(3)) details = contentOf(status.message());
    else status.skip(tag);
  }
  if (name === 'WrongExpectedVersion' && details !== undefined) {
    return { kind: 'conflict', actual_revision: actualRevision(details) };
  }
  if (REFUSALS.has(name)) return { kind: 'refused', why: name };
  return { kind: 'unknown', why: `the server answered ${name === '' ? 'an error' : name}` };
}

/** The message inside of an Any. */
function contentOf(any: protobuf.MessageReader): protobuf.MessageReader | undefined {
  let content: protobuf.MessageReader | undefined;
  for (let tag = any.tag(); tag !== 0; tag = any.tag()) {
    if (tag === lengthTag(2)) content = any.message();
    else any.skip(tag);
  }
  return content;
}

function actualRevision(details: protobuf.MessageReader): number {
  let revision = -1;
  for (let tag = details.tag(); tag !== 0; tag = details.tag()) {
    if (tag === varintTag(1)) revision = details.varint();
    else details.skip(tag);
  }
  return revision;
}
