import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from '#apps/standalone';
import type { System } from './system.js';

const PATIENCE_MS = 45_000;
const PAUSE_MS = 50;
/** Longer than a broker takes to give the partitions of a killed process to the next one. */
const PATIENT = { prefer: 'wait=60' };

/** Asks until there is something. Throws when there is nothing for 45 s. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
): Promise<T> {
  for (const give_up_ms = Date.now() + PATIENCE_MS; Date.now() < give_up_ms;) {
    const found = await ask();
    if (found !== undefined && found !== false) return found;
    await delay(PAUSE_MS);
  }
  throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
}

/** Credits for an account; throws unless they are granted. Answers the revision. */
export async function grant(
  system: System,
  account_id: string,
  grant: { request_id: string; credits: string; [field: string]: unknown },
): Promise<number> {
  const path = `/v1/accounts/${account_id}/grants`;
  const { status, body, text } = await system.call(
    'POST',
    path,
    { kind: 'pack', ...grant },
    PATIENT,
  );
  if (status !== 200) throw new Error(`not granted: ${text}`);
  return body['revision'] as number;
}

export interface Usage {
  readonly account_id: string;
  readonly request_id: string;
  readonly [field: string]: unknown;
}

export const charge = (system: System, usage: Usage): Promise<Answer> =>
  system.call('POST', '/v1/usage', usage, PATIENT);

/** The explanation of a request, once it is decided and projected. */
export const explained = (
  system: System,
  account_id: string,
  request_id: string,
): Promise<Record<string, unknown>> =>
  eventually(`${request_id} is decided`, async () => {
    const path = `/v1/accounts/${account_id}/requests/${request_id}`;
    const { status, body } = await system.call('GET', path);
    return status === 200 && body;
  });

export interface Entry {
  readonly revision: number;
  readonly what: string;
  readonly request_id: string | null;
  readonly credits: string;
  readonly balance_after: { readonly available: string; readonly reserved: string };
  readonly [field: string]: unknown;
}

/** The whole statement, oldest first, once it shows the revision. */
export async function statement(
  system: System,
  account_id: string,
  at_least: number,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | null = null;
  do {
    const page: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/accounts/${account_id}/statement?limit=100&at_least=${at_least}${page}`;
    const { status, body, text } = await system.call('GET', path);
    if (status !== 200) throw new Error(`no statement: ${text}`);
    entries.push(...(body['items'] as Entry[]));
    cursor = body['next_cursor'] as string | null;
  } while (cursor !== null);
  return entries.reverse();
}

export const highestRevision = (answers: readonly Answer[]): number =>
  Math.max(...answers.map(({ body }) => Number(body['revision'])));

/** All members of an account's balance, once it shows the revision. */
export async function balance(
  system: System,
  account_id: string,
  at_least: number,
): Promise<Record<string, unknown>> {
  const path = `/v1/accounts/${account_id}/balance?at_least=${at_least}`;
  return (await system.call('GET', path)).body;
}
