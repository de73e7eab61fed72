/** Requests per round, so that each contestant runs for about as long. */
export interface Sizes {
  readonly naive: number;
  readonly batched: number;
  readonly ledger: number;
}

export interface Scenario {
  readonly name: string;
  readonly accounts: number;
  readonly sizes: Sizes;
}

/** What is run, on whichever engines. */
export interface Plan {
  readonly uniform: Scenario;
  readonly hot: Scenario;
  readonly rounds: number;
  readonly http_seconds: number;
}

const times = (scale: number, { naive, batched, ledger }: Sizes): Sizes => ({
  naive: naive * scale,
  batched: batched * scale,
  ledger: ledger * scale,
});

export function planOf({ quick }: { quick: boolean }): Plan {
  const scale = quick ? 1 : 3;
  const uniform = { naive: 6_000, batched: 30_000, ledger: 30_000 };
  const hot = { naive: 2_500, batched: 40_000, ledger: 40_000 };
  return {
    uniform: { name: 'uniform', accounts: 10_000, sizes: times(scale, uniform) },
    hot: { name: 'hot', accounts: 1, sizes: times(scale, hot) },
    rounds: quick ? 2 : 5,
    http_seconds: quick ? 2 : 10,
  };
}

/** Round 0 warms up: code is compiled, tables are no longer empty. */
export const sizeOf = (round: number, requests: number): number =>
  round === 0 ? Math.ceil(requests / 4) : requests;
