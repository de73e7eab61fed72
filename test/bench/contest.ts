import type { ThrowAway } from '#apps/standalone';
import { createPool } from '#libs/platform';
import { postmasterPid } from '../postgres.js';
import { batchedBaseline, naiveBaseline } from './baselines.js';
import { cpuClock, processTree, thisProcess } from './cpu.js';
import { runHttp, type HttpResult } from './http.js';
import { startLedger, type LedgerUnderTest } from './ledger.js';
import { median } from './median.js';
import { sizeOf, type Plan, type Scenario, type Sizes } from './plan.js';
import { medianRound, runRound, type Round, type Runner } from './round.js';
import { tell } from './tell.js';

/** Medians over the rounds; the ratios are of rounds that ran beside each other. */
export interface ContestResult {
  readonly decisions_per_s: number;
  readonly ratio_diy_naive: number;
  readonly ratio_diy_batched: number;
  /** CPU per decision. */
  readonly cpu_us_node: number;
  readonly cpu_us_postgres: number;
  readonly naive_per_s: number;
  readonly batched_per_s: number;
}

export interface EmbeddedResult {
  readonly uniform: ContestResult;
  readonly hot: ContestResult;
  readonly http: HttpResult;
}

type Clock = ReturnType<typeof clockOf>;
type Rounds = Record<keyof Sizes, Round<'node' | 'postgres'>[]>;

/** This process, which is the ledger and what sends to it, and its Postgres. */
const clockOf = (postmaster_pid: number) =>
  cpuClock({ node: thisProcess, postgres: () => processTree(postmaster_pid) });

/** The ledger on the embedded engines, beside the baselines on the same Postgres. */
export async function runEmbedded(plan: Plan, { folder }: ThrowAway): Promise<EmbeddedResult> {
  const ledger = await startLedger({ DATA_DIR: folder });
  try {
    const cpu = clockOf(await postmasterPid(folder));
    tell(`funding ${plan.uniform.accounts} accounts`);
    await ledger.fund(plan.uniform.accounts);
    const uniform = await runContest(ledger, plan.uniform, plan.rounds, cpu);
    const hot = await runContest(ledger, plan.hot, plan.rounds, cpu);
    tell('http');
    const http = await runHttp(await ledger.serveHttp(), plan.http_seconds, cpu);
    return { uniform, hot, http };
  } finally {
    await ledger.close();
  }
}

/** Runs the contestants in turns. */
async function runContest(
  ledger: LedgerUnderTest,
  { name, accounts, sizes }: Scenario,
  rounds: number,
  cpu: Clock,
): Promise<ContestResult> {
  const naive = await openBaseline(ledger, `${name}_naive`, naiveBaseline, accounts);
  const batched = await openBaseline(ledger, `${name}_batched`, batchedBaseline, accounts);
  const contestants = { naive, batched, ledger };
  const results: Rounds = { naive: [], batched: [], ledger: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const contestant of ['naive', 'batched', 'ledger'] as const) {
      const requests = sizeOf(round, sizes[contestant]);
      const part = { name: `${name}-${contestant}-${round}`, requests, accounts };
      const result = await runRound(contestants[contestant], part, cpu);
      if (round === 0) continue;
      results[contestant].push(result);
      tell(`${name} round ${round}/${rounds} ${contestant}: ${Math.round(result.per_s)}/s`);
    }
  }
  await Promise.all([naive.close(), batched.close()]);
  return resultOf(results);
}

function resultOf(results: Rounds): ContestResult {
  const { per_s, cpu_us } = medianRound(results.ledger);
  const ratio = (to: 'naive' | 'batched') =>
    median(results.ledger.map((round, i) => round.per_s / results[to][i]!.per_s));
  return {
    decisions_per_s: per_s,
    ratio_diy_naive: ratio('naive'),
    ratio_diy_batched: ratio('batched'),
    cpu_us_node: cpu_us.node,
    cpu_us_postgres: cpu_us.postgres,
    naive_per_s: medianRound(results.naive).per_s,
    batched_per_s: medianRound(results.batched).per_s,
  };
}

/** A baseline in a database of its own, which goes with it: what runs next shall not wait for its vacuum. */
async function openBaseline(
  { engines }: LedgerUnderTest,
  name: string,
  make: (pool: ReturnType<typeof createPool>, accounts: number) => Promise<Runner>,
  accounts: number,
): Promise<Runner & { close(): Promise<void> }> {
  const database = `bench_${name}`;
  await engines.pool.query(`create database ${database}`);
  const url = new URL(engines.postgres_url);
  url.pathname = `/${database}`;
  const pool = createPool(url.href, { application_name: 'bench', max_connections: 34 });
  return {
    ...(await make(pool, accounts)),
    async close() {
      await pool.end();
      await engines.pool.query(`drop database ${database} with (force)`);
    },
  };
}
