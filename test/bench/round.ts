import { cpuPerRequest, each, type CpuClock, type CpuTimes } from './cpu.js';
import { median } from './median.js';
import { expectation, workload, type BenchRequest, type Totals } from './workload.js';

export interface Runner {
  /** Makes of the requests what is sent, which is their callers' work and not measured. */
  prepare(requests: readonly BenchRequest[]): Run;
  /** Of all that it has charged so far. */
  totals(): Promise<Totals>;
}

/** Sends and resolves when all of it is visible. */
export type Run = () => Promise<void>;

/** What one round of one runner came to. */
export interface Round<Name extends string> {
  readonly per_s: number;
  /** CPU per request, by process. */
  readonly cpu_us: CpuTimes<Name>;
}

export interface RoundPlan {
  /** Part of the request ids, so that no two rounds send the same. */
  readonly name: string;
  readonly requests: number;
  readonly accounts: number;
}

/** Throws when the runner charged other than it should have. */
export async function runRound<Name extends string>(
  runner: Runner,
  { name, requests: count, accounts }: RoundPlan,
  cpu: CpuClock<Name>,
): Promise<Round<Name>> {
  const requests = workload(name, count, accounts);
  const run = runner.prepare(requests);
  const before = await runner.totals();
  const cpu_before = cpu();
  const began = performance.now();
  await run();
  const seconds = (performance.now() - began) / 1_000;
  const cpu_after = cpu();
  checkTotals(before, await runner.totals(), expectation(requests));
  return { per_s: count / seconds, cpu_us: cpuPerRequest(cpu_before, cpu_after, count) };
}

function checkTotals(before: Totals, after: Totals, expected: Totals): void {
  const charged = { unique: after.unique - before.unique, credits: after.credits - before.credits };
  if (charged.unique === expected.unique && charged.credits === expected.credits) return;
  throw new Error(`charged ${JSON.stringify(charged)}, expected ${JSON.stringify(expected)}`);
}

/** Of at least one round. */
export const medianRound = <Name extends string>(rounds: readonly Round<Name>[]): Round<Name> => ({
  per_s: median(rounds.map(({ per_s }) => per_s)),
  cpu_us: each(rounds[0]!.cpu_us, (_, name) => median(rounds.map(({ cpu_us }) => cpu_us[name]))),
});
