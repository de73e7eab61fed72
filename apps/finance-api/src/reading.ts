import { instantOf } from '#libs/contracts';
import { invalidRequest, Problem, problemDetails, unavailable } from '#libs/http';
import { isAway } from '#libs/platform';
import { UnanswerableQuestion, waitForRevision } from '#libs/read-models';
import type { Pool } from 'pg';

const RETRY_AFTER_SECONDS = 1;
/** A caller's clock may be ahead by so much. */
const MAX_AHEAD_MS = 5_000;

/** Waits until the account's rows show the revision that the caller has seen, if it names one. */
export async function waitForOwnWrite(
  pool: Pool,
  tenant_id: string,
  account_id: string,
  at_least: number | undefined,
): Promise<void> {
  if (at_least === undefined) return;
  if (await readable(waitForRevision(pool, tenant_id, account_id, at_least))) return;
  const detail = `the read model has not reached revision ${at_least} of ${account_id} yet`;
  throw unavailable('not_yet_projected', detail, RETRY_AFTER_SECONDS, { at_least });
}

/** The answer of a query; 404 when there is none, 400 when the question cannot be answered. */
export async function found<T>(query: Promise<T | undefined>, what: string): Promise<T> {
  const answer = await readable(query);
  if (answer === undefined) throw new Problem(problemDetails(404, 'not_found', `no ${what}`));
  return answer;
}

/** A revision that is not there has no balance; the last one's would be taken for it. */
export function refuseBeyond(head: number, as_of: number | string | undefined): void {
  if (typeof as_of !== 'number' || as_of <= head) return;
  const message = `is beyond revision ${head}, the last that is shown`;
  throw invalidRequest([{ path: 'as_of', message }]);
}

/** What is spent until a time to come is not known; the balance of today would be taken for it. */
export function refuseFuture(now_ms: number, as_of: number | string | undefined): void {
  if (typeof as_of !== 'string' || as_of <= instantOf(now_ms + MAX_AHEAD_MS)) return;
  const message = `is beyond ${instantOf(now_ms)}, the time that it is now`;
  throw invalidRequest([{ path: 'as_of', message }]);
}

/** Rejects with what is wrong with the question, or with 503 while what holds the answer is away. */
export async function readable<T>(query: Promise<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    if (error instanceof UnanswerableQuestion) {
      throw invalidRequest([{ path: error.field, message: error.fault }]);
    }
    if (!isAway(error) && !isTimeout(error)) throw error;
    const detail = 'what holds the answer cannot be read now';
    throw unavailable('not_readable', detail, RETRY_AFTER_SECONDS);
  }
}

const isTimeout = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'TimeoutError';
