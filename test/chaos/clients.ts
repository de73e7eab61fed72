import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from '#apps/standalone';
import { eventually, explained, grant, statement, type Entry } from '../e2e/asking.js';
import type { System } from '../e2e/system.js';

/** An answer that a client got: from then on it stands. */
export interface Acknowledged {
  readonly account_id: string;
  readonly request_id: string;
  /** Of what was asked for, at the list price. */
  readonly price: bigint;
  /** 200 or 402 with the decision, or 202: durable, to be decided. */
  readonly status: number;
  /** Of the decision; undefined when it was not known yet. */
  readonly revision: number | undefined;
  readonly outcome: string | undefined;
}

export interface Clients {
  /** Lets each finish what it is about. Answers all that was acknowledged: all that was sent. */
  stop(): Promise<Acknowledged[]>;
}

const PACE_MS = 20;
const CREDITS = 120n;
const OPERATIONS = [
  { operation: 'text.generation', price: 1n },
  { operation: 'image.generation', price: 20n },
] as const;

/** What the nth request of an account is for. */
export const operationOf = (n: number): (typeof OPERATIONS)[number] =>
  OPERATIONS[n % OPERATIONS.length]!;

/** Accounts of their own for a load of this name, with credits for a part of it. */
export async function openAccounts(
  system: System,
  name: string,
  count: number,
): Promise<readonly string[]> {
  const accounts = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  for (const account_id of accounts) {
    await grant(system, account_id, { request_id: 'pack', credits: String(CREDITS) });
  }
  return accounts;
}

/**
 * Clients that charge one request after the other, each on an account of its own with credits for a
 * part of them. What is not answered is sent again with the same id, every third request twice anyway.
 */
export async function startClients(system: System, name: string, count: number): Promise<Clients> {
  const acknowledged: Acknowledged[] = [];
  let is_stopping = false;

  const send = async (account_id: string, request_id: string, n: number) => {
    const { operation, price } = operationOf(n);
    const usage = { account_id, request_id, operation };
    const answer = await eventually(`${request_id} is acknowledged`, async () => {
      const given = await system.call('POST', '/v1/usage', usage).catch(noAnswer);
      return given !== undefined && given.status < 500 && given;
    });
    acknowledged.push({ account_id, request_id, price, ...acknowledgedBy(answer) });
  };

  const client = async (account_id: string) => {
    for (let n = 0; !is_stopping; n += 1) {
      await send(account_id, `${name}-${n}`, n);
      if (n % 3 === 0) await send(account_id, `${name}-${n}`, n);
      await delay(PACE_MS);
    }
  };

  const accounts = await openAccounts(system, `client-${name}`, count);
  const running = Promise.all(accounts.map(client));
  running.catch(() => {}); // thrown by stop
  return {
    async stop() {
      is_stopping = true;
      await running;
      return acknowledged;
    },
  };
}

/** Nothing is known. */
const noAnswer = (): Answer | undefined => undefined;

const acknowledgedBy = ({ status, body }: Answer) => ({
  status,
  revision: body['revision'] as number | undefined,
  outcome: body['outcome'] as string | undefined,
});

const OUTCOMES: Readonly<Record<string, string>> = {
  UsageConsumed: 'consumed',
  UsageRejected: 'rejected',
};

/** What must have been charged to each account: its requests in order, while credits are left. */
export function chargedBy(acknowledged: readonly Acknowledged[]): Map<string, bigint> {
  const charged = new Map<string, bigint>();
  const seen = new Set<string>();
  for (const { account_id, request_id, price } of acknowledged) {
    const id = `${account_id}/${request_id}`;
    const spent = charged.get(account_id) ?? 0n;
    if (!seen.has(id) && spent + price <= CREDITS) charged.set(account_id, spent + price);
    seen.add(id);
  }
  return charged;
}

/** Every acknowledged request has exactly one decision: the one that was answered. */
export async function expectOneDecisionEach(
  system: System,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  const entries = new Map<string, Entry[]>();
  for (const account_id of new Set(acknowledged.map((one) => one.account_id))) {
    const known = acknowledged.filter((one) => one.account_id === account_id);
    // What stands in order on one topic is decided when its last is.
    const last = await explained(system, account_id, known.at(-1)!.request_id);
    const { revision: decided_at } = last['decision'] as { revision: number };
    const at_least = Math.max(decided_at, ...known.map(({ revision = 0 }) => revision));
    entries.set(account_id, await statement(system, account_id, at_least));
  }
  const decided = acknowledged.map(({ account_id, request_id }) =>
    entries
      .get(account_id)!
      .filter((entry) => entry.request_id === request_id)
      .map(({ revision, what }) => ({ request_id, revision, outcome: OUTCOMES[what] })),
  );
  expect(decided).toEqual(
    acknowledged.map(({ request_id, revision, outcome }) => [
      {
        request_id,
        revision: revision ?? expect.any(Number),
        outcome: outcome ?? expect.any(String),
      },
    ]),
  );
}
