import { readdirSync, readFileSync } from 'node:fs';

// Three levels up from dist/test/contracts.
const folder = new URL('../../../libs/contracts/golden/', import.meta.url);

export type GoldenKind = 'requests' | 'events' | 'decisions' | 'dead-letters';

/** `UsageConsumed.v1.lines`: type, version, and what is particular to the example. */
export const goldenNames = (kind: GoldenKind): string[] =>
  readdirSync(new URL(`${kind}/`, folder)).map((name) => name.replace(/\.json$/, ''));

/** The bytes as they were stored or sent: the file is the same JSON, laid out to be read. */
export const goldenText = (kind: GoldenKind, name: string): string =>
  JSON.stringify(JSON.parse(readFileSync(new URL(`${kind}/${name}.json`, folder), 'utf8')));

/** A fresh copy, to be changed at will. */
export const golden = (kind: GoldenKind, name: string): Record<string, unknown> =>
  JSON.parse(goldenText(kind, name)) as Record<string, unknown>;
