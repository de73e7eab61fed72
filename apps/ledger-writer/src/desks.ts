import {
  accountKey,
  accountStream,
  decodeAccountEvent,
  followLink,
  GENESIS,
  InvariantBroken,
  type AccountKey,
  type AccountRequest,
} from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import type { BatchControl } from '#libs/message-bus';
import type { AccountAnswer, AccountToLookUp } from '#libs/read-models';
import type { AccountCache } from './account-cache.js';
import type { Intake } from './intake.js';
import { followEvent, raiseFloor, unknownAccount, type KnownAccount } from './known-account.js';
import { TailLost } from './appending.js';
import type { Pause } from './pause.js';
import type { Index, ReadSide } from './read-side.js';
import type { Stalls } from './stalls.js';

/** So many events of one account may be ahead of the read side; the writer never folds more. */
export const MAX_UNREAD_PER_ACCOUNT = 10_000;
/** The same over all accounts of this writer. */
const MAX_UNREAD = 200_000;

const WAIT_MS = 50;
/** A read side that stands still for so long ends the attempt: the batch is delivered again. */
const MAX_WAIT_MS = 20_000;
const ACCOUNTS_PER_LOOK_UP = 4_000;

/** One account's part of a batch. */
export interface Desk {
  /** Not yet decided, in order. */
  readonly waiting: readonly Intake<AccountRequest>[];
  readonly known: KnownAccount;
  readonly parked: boolean;
  /** Why the account's stream cannot be folded: it will be parked, nothing is decided. */
  readonly broken?: InvariantBroken;
}

export interface DeskPorts {
  readonly store: EventReader;
  readonly read_side: ReadSide;
  readonly cache: AccountCache;
  readonly stalls: Stalls;
  readonly pause: Pause;
}

/** An account's requests of a batch, in order. */
export type Waiting = Map<AccountKey, readonly Intake<AccountRequest>[]>;

/**
 * Takes the batch's accounts out of the cache and asks the read side, in one statement, for their
 * snapshots and for the answers of all ids. What is found goes into `index`; an id that is neither
 * there nor among an account's own answers was never decided up to its head.
 */
export async function openDesks(
  waiting: Waiting,
  index: Index,
  ports: DeskPorts,
  control: BatchControl,
): Promise<Desk[]> {
  await drainUnread(ports, control);
  const cached = new Map<AccountKey, KnownAccount>();
  for (const key of waiting.keys()) {
    const known = ports.cache.take(key);
    if (known) cached.set(key, known);
  }
  const rows = await lookUpWhenNear(waiting, cached, index, ports, control);
  const desks: Desk[] = [];
  const behind: Waiting = new Map();
  for (const [key, intakes] of waiting) {
    const row = rows.get(key)!;
    const known = reconcile(intakes[0]!.request, cached.get(key), row);
    if (known) desks.push({ known, waiting: intakes, parked: row.parked });
    else behind.set(key, intakes);
  }
  return behind.size === 0 ? desks : [...desks, ...(await catchUp(behind, index, ports, control))];
}

/** Looks up until no cached account is too far ahead of the read side. */
async function lookUpWhenNear(
  waiting: Waiting,
  cached: ReadonlyMap<AccountKey, KnownAccount>,
  index: Index,
  ports: DeskPorts,
  control: BatchControl,
): Promise<ReadonlyMap<AccountKey, AccountAnswer>> {
  return waitForReadSide(ports, control, async () => {
    const rows = await lookUp(waiting, cached, index, ports.read_side);
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
function reconcile(
  request: AccountRequest,
  cached: KnownAccount | undefined,
  row: AccountAnswer,
): KnownAccount | undefined {
  const read_revision = row.revision;
  if (cached && read_revision < cached.floor) return undefined;
  if (cached && read_revision <= cached.head.revision) {
    raiseFloor(cached, read_revision);
    return cached;
  }
  return atSnapshot(request, row);
}

/** The account as the read side has it; undefined when its snapshot is of no use. */
function atSnapshot(request: AccountRequest, row: AccountAnswer): KnownAccount | undefined {
  const { snapshot } = row;
  switch (snapshot.kind) {
    case 'not_newer':
      return unknownAccount(request);
    case 'unusable':
      return undefined;
    case 'account': {
      const { account, head } = snapshot;
      const key = accountKey(request.tenant_id, request.account_id);
      return { key, head, account, floor: head.revision, answers: new Map() };
    }
  }
}

/**
 * Folds what the read side does not have yet: the account's stream from its snapshot on. For accounts
 * that another writer has moved, whose cache is ahead of a rebuilt read side, or whose snapshot is of
 * another version.
 */
export async function catchUp(
  waiting: Waiting,
  index: Index,
  ports: DeskPorts,
  control: BatchControl,
): Promise<Desk[]> {
  const desks: Desk[] = [];
  for (const [key, intakes] of waiting) {
    const alone = new Map([[key, intakes]]);
    desks.push(
      await waitForReadSide(ports, control, async () => {
        const row = (await lookUp(alone, new Map(), index, ports.read_side)).get(key)!;
        return openBehind(intakes, row, ports.store, control.signal);
      }),
    );
  }
  return desks;
}

async function openBehind(
  waiting: Desk['waiting'],
  row: AccountAnswer,
  store: EventReader,
  signal: AbortSignal,
): Promise<Desk | undefined> {
  const { request } = waiting[0]!;
  const { parked } = row;
  try {
    const known = await foldTail(request, row, store, signal);
    return known && { known, waiting, parked };
  } catch (broken) {
    if (!(broken instanceof InvariantBroken)) throw broken;
    return { known: unknownAccount(request), waiting, parked, broken };
  }
}

/**
 * The account at the end of its stream; undefined when that is too far ahead of the read side. A store
 * that does not answer holds nobody up who has lost the partition, or is told to stop.
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

/** Keeps the answers of all accounts bounded: waits until the read side holds enough of them. */
async function drainUnread(ports: DeskPorts, control: BatchControl): Promise<void> {
  if (ports.cache.unread <= MAX_UNREAD) return;
  await waitForReadSide(ports, control, async () => {
    const some = ports.cache.unreadAccounts(ACCOUNTS_PER_LOOK_UP);
    const accounts = some.map(({ key, head, account }) => ({
      key,
      tenant_id: account.tenant_id,
      account_id: account.account_id,
      head: head.revision,
    }));
    const answers = await ports.read_side.lookUp({ accounts, requests: [] });
    for (const [i, { key, floor }] of some.entries()) {
      const read_revision = answers.accounts[i]!.revision;
      const known = ports.cache.take(key);
      if (!known || read_revision < floor) continue;
      raiseFloor(known, Math.min(read_revision, known.head.revision));
      ports.cache.put(known);
    }
    return ports.cache.unread <= MAX_UNREAD ? true : undefined;
  });
}

/** Tries until there is an answer; the partition pauses meanwhile and `ports.stalls` knows. */
async function waitForReadSide<T>(
  ports: DeskPorts,
  control: BatchControl,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  const stall = ports.stalls.begin();
  try {
    for (let waited_ms = 0; waited_ms <= MAX_WAIT_MS; waited_ms += WAIT_MS) {
      const answer = await attempt();
      if (answer !== undefined) return answer;
      stall.waiting();
      await ports.pause(WAIT_MS, control.signal);
      await control.heartbeat();
    }
    throw new Error(`the read side stood still for ${MAX_WAIT_MS} ms, too far behind to decide`);
  } finally {
    stall.end();
  }
}

/** Answers for the waiting accounts; the original decisions found for their ids go into `index`. */
async function lookUp(
  waiting: Waiting,
  cached: ReadonlyMap<AccountKey, KnownAccount>,
  index: Index,
  read_side: ReadSide,
): Promise<ReadonlyMap<AccountKey, AccountAnswer>> {
  const accounts: AccountToLookUp[] = [];
  const intakes: Intake<AccountRequest>[] = [];
  for (const [key, queue] of waiting) {
    const { tenant_id, account_id } = queue[0]!.request;
    const head = cached.get(key)?.head.revision ?? GENESIS.revision;
    accounts.push({ key, tenant_id, account_id, head });
    intakes.push(...queue);
  }
  const requests = intakes.map(({ request }) => request);
  const answers = await read_side.lookUp({ accounts, requests });
  for (const [i, decision] of answers.decisions.entries()) {
    if (decision) index.set(intakes[i]!, decision);
  }
  return new Map(accounts.map(({ key }, i) => [key, answers.accounts[i]!]));
}
