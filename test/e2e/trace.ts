import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The first 2,000 rows of the real trace. */
export const SAMPLE = fileURLToPath(
  new URL('../../../apps/standalone/demo/azure-llm-inference-2023-conv-2000.csv', import.meta.url),
);

/** A usage file, and what it must come to: worked out here from the file and the list price. */
export interface Trace {
  readonly file: string;
  readonly rows: number;
  readonly credits: bigint;
  readonly by_account: ReadonlyMap<string, bigint>;
  /** Of the command that imports it. */
  readonly arguments: readonly string[];
}

/** 1 credit per 1,000 tokens read and 3 per 1,000 written; each begun credit counts. */
const priceOf = (read: bigint, written: bigint): bigint =>
  (read + 999n) / 1_000n + (3n * written + 999n) / 1_000n;

/** Its rows dealt over so many accounts, each of which gets a million credits first. */
export function traceOver(accounts: number, file = SAMPLE): Trace {
  const by_account = new Map<string, bigint>();
  const lines = readFileSync(file, 'utf8').trim().split(/\r?\n/).slice(1);
  for (const [n, line] of lines.entries()) {
    const [, read, written] = line.split(',');
    const account_id = `acct-${String((n % accounts) + 1).padStart(4, '0')}`;
    const price = priceOf(BigInt(read!), BigInt(written!));
    by_account.set(account_id, (by_account.get(account_id) ?? 0n) + price);
  }
  return {
    file,
    rows: lines.length,
    credits: [...by_account.values()].reduce((sum, credits) => sum + credits, 0n),
    by_account,
    arguments: [
      'import',
      file,
      `--account=spread:${accounts}`,
      '--item=llm.input_tokens=ContextTokens',
      '--item=llm.output_tokens=GeneratedTokens',
      '--occurred-at=TIMESTAMP',
      `--grant=${GRANT}`,
      '--json',
    ],
  };
}

export const GRANT = 1_000_000n;

/** What an import told of itself in the end. */
export interface Summary {
  readonly rows: number;
  readonly bad_rows: number;
  readonly decided: number;
  readonly consumed: number;
  readonly replayed: number;
  readonly credits: string;
  readonly credits_replayed: string;
}
