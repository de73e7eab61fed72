import { isUtf8 } from 'node:buffer';
import type { MessageValue, OutgoingMessage } from './port.js';

/** Most bytes of one message's key, value and headers together; a Kafka broker's default is 1 MiB. */
export const MAX_MESSAGE_BYTES = 1_000_000;

/** As every bus hands it on: text when the bytes are valid UTF-8, otherwise the bytes. */
export function normalValue(value: MessageValue): MessageValue {
  if (value === null) return null;
  if (typeof value === 'string') return normalText(value);
  return isUtf8(value) ? value.toString('utf8') : value;
}

/** Lone surrogates have no UTF-8; they become U+FFFD, as in any encoder. */
export const normalText = (text: string): string => text.toWellFormed();

/** Bytes on the wire, nearly: framing is not counted. */
export function messageBytes(message: OutgoingMessage): number {
  let bytes = Buffer.byteLength(message.key ?? '') + Buffer.byteLength(message.value ?? '');
  for (const name in message.headers) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(message.headers[name] ?? '');
  }
  return bytes;
}

/** Publishing it again would not help. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
}

export function checkSize(topic: string, bytes: number): void {
  if (bytes <= MAX_MESSAGE_BYTES) return;
  throw new MessageTooLarge(`${bytes} bytes for ${topic}, at most ${MAX_MESSAGE_BYTES}`);
}
