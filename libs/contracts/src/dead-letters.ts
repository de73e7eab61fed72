import { hash } from 'node:crypto';
import { z } from 'zod';
import { decodeRecorded, encodeJson } from './json.js';
import { DEAD_LETTER_REASONS, storableText, type DeadLetterReason } from './errors.js';
import { MessageCoordinate } from './events.js';
import { Instant } from './time.js';

export const DEAD_LETTER_SCHEMA = 1;

/** A message that was not decided, on topic `ledger.dead-letters`: its bytes, coordinate and why. */
export const DeadLetter = z.strictObject({
  schema: z.literal(DEAD_LETTER_SCHEMA),
  /** Where the message stood; one dead letter per coordinate. */
  source: MessageCoordinate,
  key: z.string().nullable(),
  /** The original bytes in `encoding`; null when the message had none. */
  value: z.string().nullable(),
  /** `base64` only for bytes that are not valid UTF-8. */
  encoding: z.enum(['utf8', 'base64']),
  headers: z.record(z.string(), z.string()),
  reason: z.enum(DEAD_LETTER_REASONS),
  /** What is wrong, for a person; at most 2,000 characters. */
  detail: z.string(),
  /** The broker's time of the original message. */
  timestamp: Instant,
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** What a dead letter keeps of the message that it is made of. */
interface UndecidedMessage extends MessageCoordinate {
  readonly timestamp: Instant;
  readonly key: string | null;
  readonly value: string | Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

export const deadLetterOf = (
  message: UndecidedMessage,
  reason: DeadLetterReason,
  detail: string,
): DeadLetter => ({
  schema: DEAD_LETTER_SCHEMA,
  source: { topic: message.topic, partition: message.partition, offset: message.offset },
  key: message.key,
  ...encodeBytes(message.value),
  headers: { ...message.headers },
  reason,
  detail: storableText(detail),
  timestamp: message.timestamp,
});

function encodeBytes(value: string | Uint8Array | null): Pick<DeadLetter, 'value' | 'encoding'> {
  if (value === null || typeof value === 'string') return { value, encoding: 'utf8' };
  return { value: Buffer.from(value).toString('base64'), encoding: 'base64' };
}

/** The original message's value, byte for byte; null when it had none. */
export const originalBytes = (letter: Pick<DeadLetter, 'value' | 'encoding'>): Buffer | null =>
  letter.value === null ? null : Buffer.from(letter.value, letter.encoding);

/** Most bytes of an encoded letter and its key; a message bus takes 1 MB with its framing. */
export const MAX_DEAD_LETTER_BYTES = 900_000;
const KEPT_BYTES = 16 * 1024;
const KEPT_KEY = 512;
/** Of one UTF-16 unit in JSON: `\u0001`. */
const MAX_BYTES_PER_UNIT = 6;

/**
 * The letter, or what fits of it: escaped or as base64 a message may outgrow the bus that brought it, and
 * a letter that cannot be published would hold up its partition for ever. What is cut is `too_large`, so
 * it is never redriven; size and hash of the original are recorded.
 */
export function fittingDeadLetter(letter: DeadLetter): DeadLetter {
  if (fits(letter)) return letter;
  const bytes = originalBytes(letter) ?? Buffer.alloc(0);
  return {
    ...letter,
    key: letter.key?.slice(0, KEPT_KEY).toWellFormed() ?? null,
    value: bytes.subarray(0, KEPT_BYTES).toString('base64'),
    encoding: 'base64',
    headers: {},
    reason: 'too_large',
    detail: storableText(
      `kept are the first ${KEPT_BYTES} of ${bytes.length} bytes (SHA-256 ${hash('sha256', bytes)}) and ` +
        `no headers; the whole is at its coordinate. It was ${letter.reason}: ${letter.detail}`,
    ),
  };
}

function fits(letter: DeadLetter): boolean {
  const texts = [letter.key, letter.key, letter.value, ...Object.entries(letter.headers).flat()];
  const units = texts.reduce((sum, text) => sum + (text?.length ?? 0), letter.detail.length);
  if (units * MAX_BYTES_PER_UNIT < MAX_DEAD_LETTER_BYTES / 2) return true;
  const key_bytes = Buffer.byteLength(letter.key ?? '');
  return Buffer.byteLength(encodeDeadLetter(letter)) + key_bytes <= MAX_DEAD_LETTER_BYTES;
}

export const encodeDeadLetter = (letter: DeadLetter): string => encodeJson(letter);

/** Throws InvariantBroken for what `encodeDeadLetter` cannot have written. */
export const decodeDeadLetter = (text: string): DeadLetter => decodeRecorded(DeadLetter, text);
