import type { RecordedEvent } from '../port.js';
import { lengthTag, MessageReader, varintTag } from './protobuf.js';
import { positionText, type Position } from './position.js';

/** An event, and its place as numbers. */
export interface ReadEvent {
  readonly event: RecordedEvent;
  readonly position: Position;
}

type ReadAnswer =
  | ({ readonly kind: 'event' } & ReadEvent)
  | { readonly kind: 'stream_not_found' }
  /** The stream's last revision, whether it can be read or not. */
  | { readonly kind: 'last_revision'; readonly revision: number }
  | { readonly kind: 'other' };

/** Throws for what is no ReadResp. */
export function decodeReadAnswer(bytes: Buffer): ReadAnswer {
  const reader = new MessageReader(bytes);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthTag(1)) return readEvent(reader.message());
    if (tag === lengthTag(4)) return { kind: 'stream_not_found' };
    if (tag === varintTag(6)) return { kind: 'last_revision', revision: reader.varint() };
    reader.skip(tag);
  }
  return { kind: 'other' };
}

/** Links are not resolved, so that an event stands where it was read. */
function readEvent(reader: MessageReader): ReadAnswer {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthTag(1)) return recordedEvent(reader.message());
    reader.skip(tag);
  }
  throw new RangeError('a message about an event without an event');
}

function recordedEvent(reader: MessageReader): ReadAnswer {
  let [event_id, stream, type, data, meta] = ['', '', '', '', ''];
  let [revision, commit, prepare] = [0, 0, 0];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case lengthTag(1):
        event_id = textIn(reader.message(), 2);
        break;
      case lengthTag(2):
        stream = textIn(reader.message(), 3);
        break;
      case varintTag(3):
        revision = reader.varint();
        break;
      case varintTag(4):
        prepare = reader.varint();
        break;
      case varintTag(5):
        commit = reader.varint();
        break;
      case lengthTag(6):
        type = typeIn(reader.message()) ?? type;
        break;
      case lengthTag(7):
        meta = reader.text();
        break;
      case lengthTag(8):
        data = reader.text();
        break;
      default:
        reader.skip(tag);
    }
  }
  const position = { commit, prepare };
  const event = { event_id, type, data, meta, stream, revision, position: positionText(position) };
  return { kind: 'event', event, position };
}

function textIn(reader: MessageReader, field: number): string {
  let text = '';
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthTag(field)) text = reader.text();
    else reader.skip(tag);
  }
  return text;
}

/** The value of an entry of the metadata map, if it is the event's type. */
function typeIn(entry: MessageReader): string | undefined {
  let [key, value] = ['', ''];
  for (let tag = entry.tag(); tag !== 0; tag = entry.tag()) {
    if (tag === lengthTag(1)) key = entry.ascii();
    else if (tag === lengthTag(2) && (key === 'type' || key === '')) value = entry.text();
    else entry.skip(tag);
  }
  return key === 'type' ? value : undefined;
}
