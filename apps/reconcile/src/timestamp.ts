const TIMESTAMP =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * A time as spreadsheets and logs write it, in RFC 3339: `2023-11-16 18:15:46.6805900`,
 * `2023-11-16T18:15`, `2023-11-16`. Without an offset it is UTC. What is not recognised comes back as
 * it was, for the contract to refuse.
 */
export function rfc3339Of(text: string): string {
  const found = TIMESTAMP.exec(text);
  if (found === null) return text;
  const [, date, minutes = '00:00', seconds = '00', fraction = '0', zone = 'Z'] = found;
  return `${date}T${minutes}:${seconds}.${fraction}${offsetOf(zone.toUpperCase())}`;
}

function offsetOf(zone: string): string {
  if (zone === 'Z' || zone === 'UTC') return 'Z';
  // Postgres leaves out minutes that are 0.
  return zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3) || '00'}`;
}
