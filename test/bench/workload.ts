import { createHash } from 'node:crypto';

/** One request of the benchmark: the same for the ledger and for the baselines. */
export interface BenchRequest {
  readonly account_id: string;
  readonly request_id: string;
  readonly operation: string;
  readonly credits: number;
}

const PRICES = [
  ['text.generation', 1],
  ['image.generation', 20],
  ['video.generation', 100],
] as const;

/** Every twentieth request is sent again. */
const DUPLICATE_EVERY = 20;

/** `count` requests over `accounts` accounts in a shuffled but repeatable order, 5 % duplicates. */
export function workload(name: string, count: number, accounts: number): BenchRequest[] {
  const requests: BenchRequest[] = [];
  let random = 12_345;
  for (let i = 0; i < count; i += 1) {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    if (i % DUPLICATE_EVERY === DUPLICATE_EVERY - 1) {
      requests.push(requests[i - 1 - (random % Math.min(i, 500))]!);
      continue;
    }
    const [operation, credits] = PRICES[random % PRICES.length]!;
    const account = accounts === 1 ? 0 : Math.floor(random / 7) % accounts;
    requests.push({
      account_id: `acct-${account}`,
      request_id: `${name}-${i}`,
      operation,
      credits,
    });
  }
  return requests;
}

/** Unique requests and the credits that they cost. */
export interface Totals {
  readonly unique: number;
  readonly credits: number;
}

/** What every implementation must end with. */
export function expectation(requests: readonly BenchRequest[]): Totals {
  const unique = new Map(requests.map((request) => [request.request_id, request.credits]));
  return { unique: unique.size, credits: [...unique.values()].reduce((sum, one) => sum + one, 0) };
}

/** A request id as the baselines' uuid column takes it. */
export const uuidOf = (request_id: string): string => {
  const hex = createHash('md5').update(request_id).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};
