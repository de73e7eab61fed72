const MAX_MESSAGE = 2_000;
/** Control characters other than the line feed, and halves of surrogate pairs. */
const UNSTORABLE = /[^\P{Cc}\n]|\p{Cs}/gu;

/**
 * A text that quotes what a stranger sent, cut to 2,000 characters that any store can hold: a dead
 * letter that cannot be filed would block the ones behind it.
 */
export const storableText = (text: string): string =>
  text.slice(0, MAX_MESSAGE).replace(UNSTORABLE, '\ufffd');

/** What cannot be read as a request or event. The message becomes a dead letter; nothing is decided. */
export class ContractViolation extends Error {
  override readonly name = 'ContractViolation';
  constructor(
    readonly reason: DeadLetterReason,
    message: string,
  ) {
    super(storableText(message));
  }
}

/** Somebody else appended first: read again and decide again. */
export class VersionConflict extends Error {
  override readonly name = 'VersionConflict';
}

/** The ledger contradicts itself. Loud: the account is parked or the process stops, never skipped. */
export class InvariantBroken extends Error {
  override readonly name: string = 'InvariantBroken';
}

/** A newer version of this program wrote it, so nothing contradicts itself: wait for its deploy. */
export class WrittenByNewer extends InvariantBroken {
  override readonly name = 'WrittenByNewer';
}

/** Why a message ended as a dead letter. */
export const DEAD_LETTER_REASONS = [
  'undecodable',
  'invalid_request',
  'unknown_schema',
  'wrong_key',
  'wrong_topic',
  'occurred_in_future',
  'stamped_in_future',
  'too_large',
  'conflict',
  'unprocessable',
  'account_parked',
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];
