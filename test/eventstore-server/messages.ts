import streams from '@eventstore/db-client/generated/streams_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import protobuf, { type Message } from 'google-protobuf';
import { revisionText, type ProposedEvent, type StoredEvent } from './store.js';
import type { ExpectedRevision } from './rules.js';

/** What the server says about a value that it cannot take; the texts are .NET's. */
export class BadValue extends Error {}

interface MessageClass<M extends Message> {
  deserializeBinary(bytes: Uint8Array): M;
}

/** A message that Kestrel would take; throws for bytes that are none. */
export const decode = <M extends Message>(type: MessageClass<M>, bytes: Buffer): M =>
  type.deserializeBinary(new Uint8Array(bytes));

const USUAL_GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
// Guid.Parse takes these forms too, and braces around them.
const GUID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const hyphenated = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );

export function uuidText(uuid: shared.UUID | undefined): string {
  if (uuid === undefined) throw new BadValue("Value cannot be null. (Parameter 'dto')");
  const structured = uuid.getStructured();
  if (structured !== undefined) {
    const high = BigInt.asUintN(64, BigInt(structured.getMostSignificantBits()));
    const low = BigInt.asUintN(64, BigInt(structured.getLeastSignificantBits()));
    return hyphenated(((high << 64n) | low).toString(16).padStart(32, '0'));
  }
  if (!uuid.hasString()) throw new BadValue("Invalid argument: None (Parameter 'dto')");
  const text = uuid.getString().toLowerCase();
  if (USUAL_GUID.test(text)) return text;
  const bare = /^[{(].*[)}]$/.test(text) ? text.slice(1, -1) : text;
  if (!GUID.test(bare)) throw new BadValue('Unrecognized Guid format.');
  return hyphenated(bare.replaceAll('-', ''));
}

export function stringUuid(text: string): shared.UUID {
  const uuid = new shared.UUID();
  uuid.setString(text);
  return uuid;
}

export function structuredUuid(text: string): shared.UUID {
  const bits = BigInt(`0x${text.replaceAll('-', '')}`);
  const structured = new shared.UUID.Structured();
  structured.setMostSignificantBits(BigInt.asIntN(64, bits >> 64n).toString());
  structured.setLeastSignificantBits(BigInt.asIntN(64, bits).toString());
  const uuid = new shared.UUID();
  uuid.setStructured(structured);
  return uuid;
}

export function identifier(stream: string): shared.StreamIdentifier {
  const message = new shared.StreamIdentifier();
  message.setStreamName(Buffer.from(stream));
  return message;
}

export const streamName = (message: shared.StreamIdentifier): string =>
  Buffer.from(message.getStreamName_asU8()).toString('utf8');

/** The event of an append; throws BadValue for what the server refuses. */
export function proposedEvent(
  message: streams.AppendReq.ProposedMessage | streams.BatchAppendReq.ProposedMessage,
): ProposedEvent {
  const id = uuidText(message.getId());
  const metadata = message.getMetadataMap();
  const type = metadata.get('type');
  const content_type = metadata.get('content-type');
  if (type === undefined || content_type === undefined) {
    throw new BadValue('The given key was not present in the dictionary.');
  }
  if (id === NIL_UUID) throw new BadValue("Empty eventId provided. (Parameter 'eventId')");
  if (type === '') throw new BadValue("Empty eventType provided. (Parameter 'eventType')");
  return {
    id,
    type,
    is_json: content_type === 'application/json',
    data: Buffer.from(message.getData_asU8()),
    metadata: Buffer.from(message.getCustomMetadata_asU8()),
  };
}

/** The server counts the data alone. */
export const sizeOf = (events: readonly ProposedEvent[]): number =>
  events.reduce((sum, event) => sum + event.data.length, 0);

/** The revision of a request; throws BadValue above 2^63 - 1, except 2^64 - 1, which is "none". */
export function expectedRevision(text: string): ExpectedRevision {
  const revision = BigInt(text);
  if (revision === 2n ** 64n - 1n) return 'no_stream';
  if (revision >= 2n ** 63n) throw outOfRange('value');
  return Number(revision);
}

export const outOfRange = (parameter: string): BadValue =>
  new BadValue(
    `Specified argument was out of the range of valid values. (Parameter '${parameter}')`,
  );

export type UuidForm = 'string' | 'structured';

export function recordedEvent(
  event: StoredEvent,
  form: UuidForm,
): streams.ReadResp.ReadEvent.RecordedEvent {
  const message = new streams.ReadResp.ReadEvent.RecordedEvent();
  message.setId(form === 'string' ? stringUuid(event.id) : structuredUuid(event.id));
  message.setStreamIdentifier(identifier(event.stream));
  message.setStreamRevision(revisionText(event.revision));
  message.setCommitPosition(String(event.position));
  message.setPreparePosition(String(event.position));
  const metadata = message.getMetadataMap();
  metadata.set('type', event.type);
  metadata.set('created', event.created);
  metadata.set('content-type', event.is_json ? 'application/json' : 'application/octet-stream');
  message.setData(event.data);
  message.setCustomMetadata(event.metadata);
  return message;
}

/**
 * The deadline of a BatchAppend frame as a duration, in ms: field 7 of its options (field 2), newer than
 * the generated classes, which drop what they do not know.
 */
export function durationMs(frame: Buffer): number | undefined {
  const duration = fields(fields(frame).get(2)).get(7);
  if (duration === undefined) return undefined;
  const reader = new protobuf.BinaryReader(duration);
  let ms = 0;
  while (reader.nextField()) {
    if (reader.getFieldNumber() === 1) ms += reader.readInt64() * 1000;
    else if (reader.getFieldNumber() === 2) ms += reader.readInt32() / 1e6;
    else reader.skipField();
  }
  return ms;
}

const LENGTH_DELIMITED = 2;

/** The length-delimited fields of a message by number; of repeated ones the last. */
function fields(message: Uint8Array | undefined): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const reader = new protobuf.BinaryReader(message ?? new Uint8Array());
  while (reader.nextField()) {
    if (reader.getWireType() !== LENGTH_DELIMITED) reader.skipField();
    else found.set(reader.getFieldNumber(), reader.readBytes());
  }
  return found;
}
