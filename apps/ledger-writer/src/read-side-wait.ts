import type { BatchControl } from '#libs/message-bus';
import type { AccountCache } from './account-cache.js';
import { raiseFloor } from './known-account.js';
import type { Pause } from './pause.js';
import type { ReadSide } from './read-side.js';

/** How many events of one account may be ahead of the read side; the writer never folds more. */
export const MAX_UNREAD_PER_ACCOUNT = 10_000;
/** The same over all accounts of this writer. */
const MAX_UNREAD = 200_000;
const ACCOUNTS_PER_LOOK_UP = 4_000;

const PAUSE_MS = 50;
/** After this long the batch is given up, to be delivered again. */
const MAX_WAIT_MS = 20_000;

/** Whether, and for how long, this writer waits for the read side. Readiness turns false meanwhile. */
export class ReadSideWaits {
  readonly #since = new Set<{ ms: number }>();

  constructor(
    /** Monotonic milliseconds. */
    private readonly elapsed: () => number = () => performance.now(),
  ) {}

  /** A wait from now on; it counts as one once an attempt was in vain, and `waiting` was called. */
  begin(): { waiting(): void; elapsedMs(): number; end(): void } {
    const since = { ms: this.elapsed() };
    return {
      waiting: () => void this.#since.add(since),
      elapsedMs: () => this.elapsed() - since.ms,
      end: () => void this.#since.delete(since),
    };
  }

  /** Milliseconds since the longest wait began; 0 when nothing waits. */
  waitingMs(): number {
    let longest = 0;
    for (const { ms } of this.#since) longest = Math.max(longest, this.elapsed() - ms);
    return longest;
  }
}

export interface ReadSideWaitPorts {
  readonly read_side_waits: ReadSideWaits;
  readonly pause: Pause;
}

/**
 * Tries until there is an answer; the partition pauses meanwhile and `read_side_waits` knows. The limit
 * includes the attempts, which take as long as the read side and the store do.
 */
export async function waitForReadSide<T>(
  { read_side_waits, pause }: ReadSideWaitPorts,
  control: BatchControl,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  const wait = read_side_waits.begin();
  try {
    for (;;) {
      const answer = await attempt();
      if (answer !== undefined) return answer;
      if (wait.elapsedMs() >= MAX_WAIT_MS) {
        throw new Error(
          `the read side stood still for ${MAX_WAIT_MS} ms, too far behind to decide`,
        );
      }
      wait.waiting();
      await pause(PAUSE_MS, control.signal);
      await control.heartbeat();
    }
  } finally {
    wait.end();
  }
}

/** Keeps the answers of all accounts bounded: waits until the read side holds enough of them. */
export async function drainUnread(
  ports: ReadSideWaitPorts & { readonly read_side: ReadSide; readonly cache: AccountCache },
  control: BatchControl,
): Promise<void> {
  const { cache, read_side } = ports;
  if (cache.unread <= MAX_UNREAD) return;
  await waitForReadSide(ports, control, async () => {
    const some = cache.unreadAccounts(ACCOUNTS_PER_LOOK_UP);
    const accounts = some.map(({ key, head, account }) => ({
      key,
      tenant_id: account.tenant_id,
      account_id: account.account_id,
      head: head.revision,
    }));
    const answers = await read_side.lookUp({ accounts, requests: [] });
    for (const [i, { key, floor }] of some.entries()) {
      const read_revision = answers.accounts[i]!.revision;
      const known = cache.take(key);
      if (!known || read_revision < floor) continue;
      raiseFloor(known, Math.min(read_revision, known.head.revision));
      cache.put(known);
    }
    return cache.unread <= MAX_UNREAD ? true : undefined;
  });
}
