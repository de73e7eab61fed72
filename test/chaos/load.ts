import { eventually } from '../e2e/asking.js';
import type { RunningCommand } from '../e2e/command.js';
import type { System } from '../e2e/system.js';
import type { Summary, Trace } from '../e2e/trace.js';
import { expectOneDecisionEach, startClients, type Acknowledged, type Clients } from './clients.js';

const CLIENTS = 6;
/** Calls of an import: so many that there is time to do something to the ledger in between. */
const CALLS = 100;

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

/** Does one after the other to the ledger, each while the import goes on, when it has come further. */
export async function interrupt(
  importing: RunningCommand,
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
    expect(importing.is_running).toBe(true);
    await work();
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
 * Runs an import and clients beside it while it is interrupted. Both come to their end, every row is
 * charged its price, and what was acknowledged, which is answered, has one decision each.
 */
export async function importThrough(
  load: Load,
  ...works: readonly (() => Promise<unknown>)[]
): Promise<readonly Acknowledged[]> {
  const { system, trace, name, beside = [startClients] } = load;
  const clients = await Promise.all(beside.map((start) => start(system, name, CLIENTS)));
  const importing = startImport(load);
  let acknowledged: Acknowledged[];
  try {
    await interrupt(importing, load, works);
    await importing.ended;
  } finally {
    acknowledged = (await Promise.all(clients.map((one) => one.stop()))).flat();
  }
  const { ending, stderr, ...run } = await importing.ended;
  expect({ ending, stderr }).toEqual({ ending: 0, stderr: '' });
  expect(run.lines<Summary>('summary')).toMatchObject([
    { decided: trace.rows, consumed: trace.rows, credits: trace.credits.toString() },
  ]);
  expect(acknowledged.length).toBeGreaterThan(CLIENTS * beside.length);
  await expectOneDecisionEach(system, acknowledged);
  return acknowledged;
}

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
