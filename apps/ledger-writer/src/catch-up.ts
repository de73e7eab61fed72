import {
  accountStream,
  decodeAccountEvent,
  followLink,
  InvariantBroken,
  type AccountRequest,
} from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import type { BatchControl } from '#libs/message-bus';
import type { AccountAnswer } from '#libs/read-models';
import { TailLost } from './appending.js';
import type { RequestsByAccount } from './incoming-requests.js';
import {
  followEvent,
  raiseFloor,
  unknownAccount,
  type KnownAccount,
  type OpenAccount,
} from './known-account.js';
import { atSnapshot, lookUp } from './look-up.js';
import {
  MAX_UNREAD_PER_ACCOUNT,
  waitForReadSide,
  type ReadSideWaitPorts,
} from './read-side-wait.js';
import type { Index, ReadSide } from './read-side.js';

export interface CatchUpPorts extends ReadSideWaitPorts {
  readonly store: EventReader;
  readonly read_side: ReadSide;
}

/**
 * Folds what the read side does not have yet: the account's stream from its snapshot on. For accounts
 * that another writer has moved, whose cache is ahead of a rebuilt read side, or whose snapshot is of
 * another version.
 */
export async function catchUp(
  by_account: RequestsByAccount,
  index: Index,
  ports: CatchUpPorts,
  control: BatchControl,
): Promise<OpenAccount[]> {
  const opened: OpenAccount[] = [];
  for (const [key, pending] of by_account) {
    const alone = new Map([[key, pending]]);
    opened.push(
      await waitForReadSide(ports, control, async () => {
        const row = (await lookUp(alone, new Map(), index, ports.read_side)).get(key)!;
        return openBehind(pending, row, ports.store, control.signal);
      }),
    );
  }
  return opened;
}

async function openBehind(
  pending: OpenAccount['pending'],
  row: AccountAnswer,
  store: EventReader,
  signal: AbortSignal,
): Promise<OpenAccount | undefined> {
  const { request } = pending[0]!;
  const { parked } = row;
  try {
    const known = await foldTail(request, row, store, signal);
    return known && { known, pending, parked };
  } catch (broken) {
    if (!(broken instanceof InvariantBroken)) throw broken;
    return { known: unknownAccount(request), pending, parked, broken };
  }
}

/**
 * The account at the end of its stream; undefined when that is too far ahead of the read side. The
 * signal ends the reading when the partition is lost or the writer stops, even if the store is silent.
 */
async function foldTail(
  request: AccountRequest,
  row: AccountAnswer,
  store: EventReader,
  signal: AbortSignal,
): Promise<KnownAccount | undefined> {
  const read_revision = row.revision;
  const known = atSnapshot(request, row) ?? unknownAccount(request);
  const stream = accountStream(known.key);
  const last = await store.readLast(stream, { signal });
  if (last && last.revision - read_revision > MAX_UNREAD_PER_ACCOUNT) return undefined;
  const from = known.head.revision + 1;
  for await (const page of store.readStream(stream, { from, signal })) {
    for (const recorded of page) {
      followEvent(known, followLink(known.head, recorded), decodeAccountEvent(recorded.data));
    }
    raiseFloor(known, Math.min(read_revision, known.head.revision));
  }
  if (known.head.revision < read_revision) {
    throw new TailLost(stream, known.head.revision, read_revision);
  }
  return known;
}
