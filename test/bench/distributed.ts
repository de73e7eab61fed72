import type { ThrowAway } from '#apps/standalone';
import { startDeployment, type Deployment, type ProcessName } from './deployment.js';
import { runHttp, type HttpResult } from './http.js';
import { sizeOf, type Plan, type Scenario } from './plan.js';
import { medianRound, runRound, type Round } from './round.js';
import { tell } from './tell.js';

export interface DistributedResult {
  readonly uniform: ScenarioResult;
  readonly hot: ScenarioResult;
  readonly http: HttpResult<ProcessName>;
}

/** Medians over the rounds. */
export interface ScenarioResult {
  readonly decisions_per_s: number;
  /** CPU per decision. */
  readonly cpu_us: Round<ProcessName>['cpu_us'];
}

/** The ledger on Kafka, the event store's double and Postgres, every app a process of its own. */
export async function runDistributed(plan: Plan, kept: ThrowAway): Promise<DistributedResult> {
  tell('starting a broker, an event store, a Postgres and the apps');
  const deployment = await startDeployment(kept);
  try {
    tell(`funding ${plan.uniform.accounts} accounts`);
    await deployment.fund(plan.uniform.accounts);
    const uniform = await runAlone(deployment, plan.uniform, plan.rounds);
    const hot = await runAlone(deployment, plan.hot, plan.rounds);
    tell('http');
    const http = await runHttp(deployment.url, plan.http_seconds, deployment.cpu);
    return { uniform, hot, http };
  } finally {
    await deployment.close();
  }
}

async function runAlone(
  deployment: Deployment,
  { name, accounts, sizes }: Scenario,
  rounds: number,
): Promise<ScenarioResult> {
  const results: Round<ProcessName>[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const part = { name: `${name}-${round}`, requests: sizeOf(round, sizes.ledger), accounts };
    const result = await runRound(deployment, part, deployment.cpu);
    if (round === 0) continue;
    results.push(result);
    tell(`${name} round ${round}/${rounds}: ${Math.round(result.per_s)}/s`);
  }
  const { per_s, cpu_us } = medianRound(results);
  return { decisions_per_s: per_s, cpu_us };
}
