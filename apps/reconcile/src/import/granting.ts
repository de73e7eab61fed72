import { setTimeout as sleep } from 'node:timers/promises';
import { CouldNotRun } from '../exit-code.js';
import { inParallel } from '../in-parallel.js';
import type { Gateway } from './gateway.js';

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
  options: { readonly signal: AbortSignal; readonly on_granted: () => void },
): (account_ids: Iterable<string>) => Promise<void> {
  const given = new Map<string, Promise<void>>();

  const give = async (account_id: string) => {
    while (!(await isGranted(account_id))) {
      await sleep(PAUSE_MS, undefined, { signal: options.signal });
    }
    options.on_granted();
  };

  const isGranted = async (account_id: string): Promise<boolean> => {
    const { status, outcome, reason } = await gateway.postGrant(account_id, pack);
    if (status === 200) return true;
    if (status === 202) return false;
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
