import type { AccountKey, AccountRequest } from '#libs/contracts';
import type { BatchControl } from '#libs/message-bus';
import type { AccountAnswer } from '#libs/read-models';
import type { AccountCache } from './account-cache.js';
import { catchUp, type CatchUpPorts } from './catch-up.js';
import type { RequestsByAccount } from './incoming-requests.js';
import { raiseFloor, type KnownAccount, type OpenAccount } from './known-account.js';
import { atSnapshot, lookUp } from './look-up.js';
import { drainUnread, MAX_UNREAD_PER_ACCOUNT, waitForReadSide } from './read-side-wait.js';
import type { Index } from './read-side.js';

export interface OpenAccountsPorts extends CatchUpPorts {
  readonly cache: AccountCache;
}

/**
 * Takes the batch's accounts out of the cache and asks the read side, in one statement, for their
 * snapshots and for the answers of all ids. What is found goes into `index`; an id that is neither
 * there nor among an account's own answers was never decided up to its head.
 */
export async function openAccounts(
  by_account: RequestsByAccount,
  index: Index,
  ports: OpenAccountsPorts,
  control: BatchControl,
): Promise<OpenAccount[]> {
  await drainUnread(ports, control);
  const cached = new Map<AccountKey, KnownAccount>();
  for (const key of by_account.keys()) {
    const known = ports.cache.take(key);
    if (known) cached.set(key, known);
  }
  const rows = await lookUpWhenNear(by_account, cached, index, ports, control);
  const opened: OpenAccount[] = [];
  const behind: RequestsByAccount = new Map();
  for (const [key, pending] of by_account) {
    const row = rows.get(key)!;
    const known = knownAt(row, cached.get(key), pending[0]!.request);
    if (known) opened.push({ known, pending, parked: row.parked });
    else behind.set(key, pending);
  }
  return behind.size === 0
    ? opened
    : [...opened, ...(await catchUp(behind, index, ports, control))];
}

/** Looks up until no cached account is too far ahead of the read side. */
async function lookUpWhenNear(
  by_account: RequestsByAccount,
  cached: ReadonlyMap<AccountKey, KnownAccount>,
  index: Index,
  ports: OpenAccountsPorts,
  control: BatchControl,
): Promise<ReadonlyMap<AccountKey, AccountAnswer>> {
  return waitForReadSide(ports, control, async () => {
    const rows = await lookUp(by_account, cached, index, ports.read_side);
    for (const { key, head } of cached.values()) {
      const ahead = head.revision - rows.get(key)!.revision;
      if (ahead > MAX_UNREAD_PER_ACCOUNT) return undefined;
    }
    return rows;
  });
}

/**
 * What is known of an account at read revision s: the cached account when floor ≤ s ≤ head, the
 * snapshot when the cache is older or empty; undefined when the stream has to be read.
 */
function knownAt(
  row: AccountAnswer,
  cached: KnownAccount | undefined,
  request: AccountRequest,
): KnownAccount | undefined {
  const read_revision = row.revision;
  if (cached && read_revision < cached.floor) return undefined;
  if (cached && read_revision <= cached.head.revision) {
    raiseFloor(cached, read_revision);
    return cached;
  }
  return atSnapshot(request, row);
}
