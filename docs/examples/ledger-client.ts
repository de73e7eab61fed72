/**
 * A client of usage-ledger in one file and without dependencies: copy it into a product service. Its
 * types are those of libs/contracts as they stand on the wire.
 *
 * Make the request_id before the first attempt and keep it: an order, a job, a message id. The ledger
 * answers a repeated id with its first decision, so repeating is always safe, by this client, after
 * its errors, or after a crash of your own.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface LedgerClientOptions {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly key: string;
  /** How often a request is sent at most. */
  readonly attempts?: number;
  /** How long one attempt may take. */
  readonly timeout_ms?: number;
  /** Pause before the second attempt; doubled each time. */
  readonly pause_ms?: number;
}

/** Whole credits as a decimal string: a JavaScript number cannot hold all of them. */
export type Credits = string;

interface Written {
  readonly request_id: string;
  readonly occurred_at?: string;
  readonly user_id?: string;
  readonly api_key_id?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface UsageItem {
  readonly operation: string;
  readonly quantity: number;
}

/** One operation, or several lines that are charged as one: all of them or none. */
export type Usage = Written & { readonly account_id: string } & (
    | { readonly operation: string; readonly quantity?: number }
    | { readonly items: readonly UsageItem[] }
  );

export interface Grant extends Written {
  readonly credits: Credits | number;
  readonly kind: 'pack' | 'promo' | 'plan' | 'adjustment';
  readonly priority?: number;
  readonly effective_at?: string;
  readonly expires_at?: string;
  readonly paid?: { readonly amount_minor: number; readonly currency: string };
}

interface Decided {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly request_id: string;
  readonly fingerprint: string;
  readonly credits: Credits;
  readonly revision: number | null;
  readonly recorded_at: string;
  /** It had been decided before this call: by an earlier attempt, or by somebody else. */
  readonly replayed: boolean;
}
interface Balance {
  readonly available: Credits;
  readonly reserved: Credits;
}

export type Consumed = Decided & { readonly outcome: 'consumed'; readonly balance_after: Balance };
export type Granted = Decided & { readonly outcome: 'granted'; readonly balance_after: Balance };
/** Final for this request_id; a new attempt takes a new id. */
export type Rejected = Decided & {
  readonly outcome: 'rejected';
  /** Of the answer: 402 for insufficient_credits, else 422. */
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly balance_after: Balance;
  readonly price?: Credits;
  readonly shortfall?: Credits;
};
/** This request_id was used before with other content: find the place that reuses ids. */
export type Conflict = Decided & {
  readonly outcome: 'conflict';
  readonly status: 409;
  readonly original_fingerprint: string;
};

/** The ledger cannot read the request, or not from this key. Repeating it is of no use. */
export class LedgerRefusal extends Error {
  override readonly name = 'LedgerRefusal';
  constructor(
    readonly status: number,
    readonly problem: { readonly code?: string; readonly detail?: string },
  ) {
    super(`${status} ${problem.code ?? ''}: ${problem.detail ?? ''}`);
  }
}

/** Not known to be decided yet. Ask again later with the same request_id. */
export class LedgerUnavailable extends Error {
  override readonly name = 'LedgerUnavailable';
}

export interface LedgerClient {
  charge(usage: Usage): Promise<Consumed | Rejected | Conflict>;
  grant(account_id: string, grant: Grant): Promise<Granted | Rejected | Conflict>;
}

export function ledgerClient(options: LedgerClientOptions): LedgerClient {
  const { url, key, attempts = 5, timeout_ms = 10_000, pause_ms = 200 } = options;
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    prefer: `wait=${Math.max(1, Math.floor(timeout_ms / 2_000))}`,
  };

  async function attempt(path: string, body: string): Promise<unknown> {
    const signal = AbortSignal.timeout(timeout_ms);
    const response = await fetch(url + path, { method: 'POST', headers, body, signal });
    const answer = (await response.json()) as object;
    if ('outcome' in answer) return answer;
    if (response.status === 202 || response.status >= 500) return undefined;
    throw new LedgerRefusal(response.status, answer);
  }

  /** Sends the same bytes again until there is a decision: after 202, 503, and lost connections. */
  async function decided(path: string, request: Written): Promise<unknown> {
    const body = JSON.stringify(request);
    let cause: unknown;
    for (let sent = 0; sent < attempts; sent++) {
      if (sent > 0) await sleep(pause_ms * 2 ** (sent - 1) * (0.5 + Math.random()));
      try {
        const decision = await attempt(path, body);
        if (decision !== undefined) return decision;
      } catch (error) {
        if (error instanceof LedgerRefusal) throw error;
        cause = error;
      }
    }
    const message = `${request.request_id} is not known to be decided after ${attempts} attempts`;
    throw new LedgerUnavailable(message, { cause });
  }

  return {
    charge: (usage) => decided('/v1/usage', usage) as ReturnType<LedgerClient['charge']>,
    grant: (account_id, grant) =>
      decided(`/v1/accounts/${encodeURIComponent(account_id)}/grants`, grant) as ReturnType<
        LedgerClient['grant']
      >,
  };
}
