export const DEFAULT_WAIT_SECONDS = 5;
export const MAX_WAIT_SECONDS = 60;

/** How long the caller wants to wait for its decision. */
export interface Preference {
  readonly wait_seconds: number;
  /** What the header Preference-Applied says; undefined when the caller preferred nothing. */
  readonly applied: string | undefined;
}

/** The preferences of a header: commas divide them, but not inside a quoted string. */
const PREFERENCES = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;
/** Its name, and its value: a quoted string or a token. */
const PREFERENCE = /^\s*([\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^";\s]*)))?/;

/**
 * Reads `Prefer` (RFC 7240): `wait=N` seconds, at most 60; `respond-async` alone is `wait=0`. A
 * preference that cannot be read is as if it were not there, as the RFC has it.
 */
export function preferenceOf(header: string | undefined): Preference {
  const preferences = new Map<string, string>();
  for (const part of header?.match(PREFERENCES) ?? []) {
    const [, name, quoted, token = ''] = PREFERENCE.exec(part) ?? [];
    const value = quoted ?? token;
    const key = name?.toLowerCase();
    // Only the first of a kind counts.
    if (key !== undefined && !preferences.has(key)) preferences.set(key, value);
  }
  const wait = preferences.get('wait');
  if (wait !== undefined && /^\d+$/.test(wait)) {
    const wait_seconds = Math.min(Number(wait), MAX_WAIT_SECONDS);
    return { wait_seconds, applied: `wait=${wait_seconds}` };
  }
  if (preferences.has('respond-async')) return { wait_seconds: 0, applied: 'respond-async' };
  return { wait_seconds: DEFAULT_WAIT_SECONDS, applied: undefined };
}
