import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from '#apps/standalone';
import { grant, statement, type Entry } from '../e2e/asking.js';
import type { System } from '../e2e/system.js';

/** An answer that a client got: from then on it stands. */
export interface Acknowledged {
  readonly account_id: string;
  readonly request_id: string;
  /** 200 or 402 with the decision, or 202: durable, to be decided. */
  readonly status: number;
  /** Of the decision; undefined when it was not known yet. */
  readonly revision: number | undefined;
  readonly outcome: string | undefined;
}

export interface Clients {
  /** Lets each finish what it is about. Answers all that was acknowledged. */
  stop(): Promise<Acknowledged[]>;
}

const PAUSE_MS = 100;
const PACE_MS = 20;
const CREDITS = 120;
const OPERATIONS = ['text.generation', 'image.generation'];

/**
 * Clients that charge one request after the other, each on an account of its own with credits for a
 * part of them. What is not answered is sent again with the same id, every third request twice anyway.
 */
export async function startClients(system: System, name: string, count: number): Promise<Clients> {
  const acknowledged: Acknowledged[] = [];
  let is_stopping = false;

  const send = async (account_id: string, request_id: string, operation: string) => {
    for (;;) {
      const usage = { account_id, request_id, operation };
      const answer = await system
        .call('POST', '/v1/usage', usage)
        .catch((): Answer | undefined => undefined); // no answer: nothing is known
      if (answer !== undefined && answer.status < 500) {
        acknowledged.push(acknowledgedBy(answer, account_id, request_id));
        return;
      }
      await delay(PAUSE_MS);
    }
  };

  const client = async (account_id: string) => {
    for (let n = 0; !is_stopping; n += 1) {
      const operation = OPERATIONS[n % OPERATIONS.length]!;
      await send(account_id, `${name}-${n}`, operation);
      if (n % 3 === 0) await send(account_id, `${name}-${n}`, operation);
      await delay(PACE_MS);
    }
  };

  const accounts = Array.from({ length: count }, (_, n) => `client-${name}-${n}`);
  for (const account_id of accounts) {
    await grant(system, account_id, { request_id: 'pack', credits: String(CREDITS) });
  }
  const running = accounts.map(client);
  return {
    async stop() {
      is_stopping = true;
      await Promise.all(running);
      return acknowledged;
    },
  };
}

const acknowledgedBy = (
  { status, body }: Answer,
  account_id: string,
  request_id: string,
): Acknowledged => ({
  account_id,
  request_id,
  status,
  revision: body['revision'] as number | undefined,
  outcome: body['outcome'] as string | undefined,
});

const OUTCOMES: Readonly<Record<string, string>> = {
  UsageConsumed: 'consumed',
  UsageRejected: 'rejected',
};

/** Every acknowledged request has exactly one decision: the one that was answered. */
export async function expectOneDecisionEach(
  system: System,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  const entries = new Map<string, Entry[]>();
  for (const account_id of new Set(acknowledged.map((one) => one.account_id))) {
    const known = acknowledged.filter((one) => one.account_id === account_id);
    const at_least = Math.max(...known.map(({ revision = 0 }) => revision));
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
