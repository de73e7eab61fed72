const MAX_LENGTH = 1_000;

/** In which fields an event differs from the one that is expected, as a person can read it. */
export function difference(expected: string, recorded: string): string {
  const [is, should_be] = [JSON.parse(recorded), JSON.parse(expected)] as Record<string, unknown>[];
  const fields = [...new Set([...Object.keys(should_be!), ...Object.keys(is!)])];
  const differing = fields
    .filter((field) => JSON.stringify(is![field]) !== JSON.stringify(should_be![field]))
    .map(
      (field) => `${field} ${JSON.stringify(is![field])}, not ${JSON.stringify(should_be![field])}`,
    );
  return (differing.join('; ') || 'other bytes').slice(0, MAX_LENGTH);
}
