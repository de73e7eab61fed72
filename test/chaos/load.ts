import { eventually } from '../e2e/asking.js';
import type { RunningCommand } from '../e2e/command.js';
import type { System } from '../e2e/system.js';
import type { Summary, Trace } from '../e2e/trace.js';
import {
  chargedBy,
  expectOneDecisionEach,
  startClients,
  type Acknowledged,
  type Clients,
} from './clients.js';

const CLIENTS = 6;
/** Calls of an import: so many that there is time to do something to the ledger in between. */
const CALLS = 100;
const MAX_TROUBLES = 40;

export interface Load {
  readonly system: System;
  readonly trace: Trace;
  /** Under another name the same rows are other requests. */
  readonly name: string;
  /** Who charges beside the import. */
  readonly beside?: readonly ((system: System, name: string, count: number) => Promise<Clients>)[];
}

type ImportOf = Pick<Load, 'system' | 'trace' | 'name'>;

export const startImport = ({ system, trace, name }: ImportOf): RunningCommand => {
  const batch_size = Math.ceil(trace.rows / CALLS);
  const options = ['--name', name, `--batch-size=${batch_size}`, '--in-flight=2'];
  return system.startCli(...trace.arguments, ...options);
};

/** Does one after the other to the ledger, each when imports have come further. */
export async function interrupt(
  { system, trace }: Pick<Load, 'system' | 'trace'>,
  works: readonly (() => Promise<unknown>)[],
): Promise<void> {
  const rows = trace.rows / (2 * works.length + 2);
  for (const work of works) {
    const before = await chargedRows(system);
    await eventually(
      'the import goes on',
      async () => (await chargedRows(system)) >= before + rows,
    );
    await work();
  }
}

/**
 * Imports the rows, and as long as it is not over again, as other requests: however fast an import
 * is, there is one while the ledger suffers. Every row is charged its price. Answers how often.
 */
async function importUntil(load: Load, isOver: () => boolean): Promise<number> {
  const { rows, credits } = load.trace;
  for (let imports = 1; ; imports += 1) {
    const name = imports === 1 ? load.name : `${load.name}-${imports}`;
    const { ending, stderr, ...run } = await startImport({ ...load, name }).ended;
    expect({ ending, stderr }).toEqual({ ending: 0, stderr: '' });
    expect(run.lines<Summary>('summary')).toMatchObject([
      { decided: rows, consumed: rows, credits: credits.toString() },
    ]);
    if (isOver()) return imports;
  }
}

/** Rows of all imports that are charged and projected. */
async function chargedRows(system: System): Promise<number> {
  const path = '/v1/usage/summary?group_by=operation';
  const answer = await system.call('GET', path).catch(() => undefined);
  const items = (answer?.body['items'] ?? []) as { operation: string; lines: number }[];
  return items.find(({ operation }) => operation === 'llm.input_tokens')?.lines ?? 0;
}

/**
 * Imports, and lets clients charge beside it, while the ledger is interrupted. What was acknowledged,
 * which is answered, has one decision each. What all of it must have been charged is added to `charged`.
 */
export async function importThrough(
  load: Load,
  charged: Map<string, bigint>,
  ...works: readonly (() => Promise<unknown>)[]
): Promise<void> {
  const { system, trace, name, beside = [startClients] } = load;
  const clients = await Promise.all(beside.map((start) => start(system, name, CLIENTS)));
  let is_over = false;
  let imports: number;
  let acknowledged: Acknowledged[];
  try {
    const interrupted = interrupt(load, works).finally(() => {
      is_over = true;
    });
    [imports] = await Promise.all([importUntil(load, () => is_over), interrupted]);
  } catch (error) {
    process.stderr.write(`${troubles(system).join('\n')}\n`);
    throw error;
  } finally {
    acknowledged = (await Promise.all(clients.map((one) => one.stop()))).flat();
  }
  expect(acknowledged.length).toBeGreaterThan(CLIENTS * beside.length);
  await expectOneDecisionEach(system, acknowledged);
  for (let n = 0; n < imports; n += 1) addTo(charged, trace.by_account);
  addTo(charged, chargedBy(acknowledged));
}

/** The last that the apps found worth a warning: without it a failure here tells nothing. */
const troubles = ({ log }: System): readonly string[] =>
  log.filter((line) => /"level":"(warn|error|fatal)"/.test(line)).slice(-MAX_TROUBLES);

/** Every account of the ledger is charged this, and no other is charged anything. */
export async function expectCharged(
  system: System,
  expected: ReadonlyMap<string, bigint>,
): Promise<void> {
  const wanted = sumOf(expected);
  await eventually(
    `${wanted} credits are projected`,
    async () => sumOf(await charged(system)) >= wanted,
  );
  expect(await charged(system)).toEqual(expected);
}

async function charged(system: System): Promise<Map<string, bigint>> {
  const { body } = await system.call('GET', '/v1/usage/summary?group_by=account');
  const items = body['items'] as { account_id: string; credits: string }[];
  return new Map(items.map(({ account_id, credits }) => [account_id, BigInt(credits)]));
}

const sumOf = (credits: ReadonlyMap<string, bigint>): bigint =>
  [...credits.values()].reduce((sum, one) => sum + one, 0n);

/** Adds up by account. */
export function addTo(sums: Map<string, bigint>, more: ReadonlyMap<string, bigint>): void {
  for (const [account_id, credits] of more)
    sums.set(account_id, (sums.get(account_id) ?? 0n) + credits);
}
