import { setTimeout as sleep } from 'node:timers/promises';
import { CouldNotRun } from '../exit-code.js';
import { inParallel } from '../in-parallel.js';
import type { Gateway, GrantAnswer } from './gateway.js';

interface Pack {
  /** The same in every run over a file, so that a second run replays: its scope is the account. */
  readonly request_id: string;
  /** Whole credits in decimal. */
  readonly credits: string;
}

const AT_A_TIME = 32;
const PAUSE_MS = 500;

/**
 * Gives each account a pack before its first usage is sent, and waits for the decision: usage that
 * overtook its grant would be rejected for ever. Knows every account of the import: a few dozen bytes
 * for each.
 */
export function packGiver(
  gateway: Pick<Gateway, 'postGrant'>,
  pack: Pack,
  options: { readonly signal: AbortSignal; readonly on_granted: (replayed: boolean) => void },
): (account_ids: Iterable<string>) => Promise<void> {
  const given = new Map<string, Promise<void>>();

  const give = async (account_id: string) => {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await granted(account_id);
      // Asked again, it may be answered with what its own first attempt decided.
      if (answer) return options.on_granted(attempt === 1 && answer.replayed === true);
      await sleep(PAUSE_MS, undefined, { signal: options.signal });
    }
  };

  /** Undefined while it is not decided. */
  const granted = async (account_id: string): Promise<GrantAnswer | undefined> => {
    const answer = await gateway.postGrant(account_id, pack);
    const { status, outcome, reason } = answer;
    if (status === 200) return answer;
    if (status === 202) return undefined;
    throw new CouldNotRun(
      status === 409
        ? `${account_id} got a pack of another size from this file before (${pack.request_id})`
        : `the grant to ${account_id} was ${outcome ?? 'refused'}: ${reason ?? `HTTP ${status}`}`,
    );
  };

  return (account_ids) =>
    inParallel(new Set(account_ids), AT_A_TIME, (account_id) => {
      const earlier = given.get(account_id);
      if (earlier) return earlier;
      const giving = give(account_id);
      given.set(account_id, giving);
      return giving;
    });
}
