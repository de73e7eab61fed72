import { isNativeError } from 'node:util/types';
import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A value that must not be printed: a password, a key, a URL that may hold one. Only `reveal()` gives
 * it; JSON, template strings and `console.log` show `[redacted]`.
 */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return REDACTED;
  }
  toJSON(): string {
    return REDACTED;
  }
  [inspect.custom](): string {
    return REDACTED;
  }
}

// The user part of a URL ends at the last @ before the next / ? # or space.
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'@]*(?:@[^\s/?#"'@]*)*@/gi;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=:-]+/gi;
// password=x, "password": "x", passwd: 'x', api_key=x …; an escaped quote counts as a quote.
const NAMED =
  /(\\?["']?\b(?:password|passwd|pwd|secret|api_?key|dev_?key|token)\\?["']?\s*[:=]\s*\\?["']?)[^\s"'\\,;&}]+/gi;

/**
 * Text without the secrets that libraries put into their error messages: credentials in URLs,
 * authorization headers, `password=…` in connection strings and in printed objects.
 */
export const redact = (text: string): string =>
  text
    .replace(URL_CREDENTIALS, `$1${REDACTED}@`)
    .replace(BEARER, `$1 ${REDACTED}`)
    .replace(NAMED, `$1${REDACTED}`);

/** What may be shown of an error of unknown origin. */
export const describeError = (error: unknown): string =>
  redact(isNativeError(error) || error instanceof Error ? error.message : String(error));
