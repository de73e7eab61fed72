import type { Baseline, Totals } from './baselines.js';
import { cpuTime } from './cpu.js';
import type { LedgerUnderTest } from './ledger.js';
import { median } from './median.js';
import { expectation, workload, type BenchRequest } from './workload.js';

/** Requests per round, so that each contestant runs for about as long. */
export interface Sizes {
  readonly naive: number;
  readonly batched: number;
  readonly ledger: number;
}

export interface Contestants {
  readonly naive: Baseline;
  readonly batched: Baseline;
  readonly ledger: LedgerUnderTest;
  readonly postmaster_pid: number;
}

/** Medians over the rounds; the ratios are of rounds that ran beside each other. */
export interface ScenarioResult {
  readonly decisions_per_s: number;
  readonly ratio_diy_naive: number;
  readonly ratio_diy_batched: number;
  /** CPU per decision. */
  readonly cpu_us_node: number;
  readonly cpu_us_postgres: number;
  readonly naive_per_s: number;
  readonly batched_per_s: number;
}

interface Run {
  readonly per_s: number;
  readonly cpu_us_node: number;
  readonly cpu_us_postgres: number;
}

interface Runner {
  run(requests: readonly BenchRequest[]): Promise<void>;
  totals(): Promise<Totals>;
}

/** Runs the contestants in turns. Throws when any of them charged other than it should have. */
export async function runScenario(
  name: string,
  contestants: Contestants,
  { accounts, rounds, sizes }: { accounts: number; rounds: number; sizes: Sizes },
  tell: (text: string) => void,
): Promise<ScenarioResult> {
  const results: Record<keyof Sizes, Run[]> = { naive: [], batched: [], ledger: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const contestant of ['naive', 'batched', 'ledger'] as const) {
      // Round 0 warms up: code is compiled, tables are no longer empty.
      const size = round === 0 ? Math.ceil(sizes[contestant] / 4) : sizes[contestant];
      const requests = workload(`${name}-${contestant}-${round}`, size, accounts);
      const run = await timed(contestants[contestant], requests, contestants.postmaster_pid);
      if (round === 0) continue;
      results[contestant].push(run);
      tell(`${name} round ${round}/${rounds} ${contestant}: ${Math.round(run.per_s)}/s`);
    }
  }
  const ratio = (to: 'naive' | 'batched') =>
    median(results.ledger.map(({ per_s }, i) => per_s / results[to][i]!.per_s));
  return {
    decisions_per_s: median(results.ledger.map(({ per_s }) => per_s)),
    ratio_diy_naive: ratio('naive'),
    ratio_diy_batched: ratio('batched'),
    cpu_us_node: median(results.ledger.map(({ cpu_us_node }) => cpu_us_node)),
    cpu_us_postgres: median(results.ledger.map(({ cpu_us_postgres }) => cpu_us_postgres)),
    naive_per_s: median(results.naive.map(({ per_s }) => per_s)),
    batched_per_s: median(results.batched.map(({ per_s }) => per_s)),
  };
}

async function timed(
  runner: Runner,
  requests: readonly BenchRequest[],
  postmaster_pid: number,
): Promise<Run> {
  const before = await runner.totals();
  const cpu_before = cpuTime(postmaster_pid);
  const began = performance.now();
  await runner.run(requests);
  const seconds = (performance.now() - began) / 1_000;
  const cpu = cpuTime(postmaster_pid);
  checkTotals(before, await runner.totals(), expectation(requests));
  return {
    per_s: requests.length / seconds,
    cpu_us_node: (cpu.node - cpu_before.node) / requests.length,
    cpu_us_postgres: (cpu.postgres - cpu_before.postgres) / requests.length,
  };
}

function checkTotals(before: Totals, after: Totals, expected: Totals): void {
  const charged = { unique: after.unique - before.unique, credits: after.credits - before.credits };
  if (charged.unique === expected.unique && charged.credits === expected.credits) return;
  throw new Error(`charged ${JSON.stringify(charged)}, expected ${JSON.stringify(expected)}`);
}
