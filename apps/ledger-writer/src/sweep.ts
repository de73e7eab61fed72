import { setTimeout as sleep } from 'node:timers/promises';
import {
  accountKey,
  encodeRequest,
  instantOf,
  REQUEST_SCHEMA,
  SYSTEM_PREFIX,
  TOPICS,
  type AccountKey,
  type Instant,
} from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import { withAdvisoryLock } from '#libs/platform';
import type { DueAccount, DueRange } from '#libs/read-models';
import type { Pool } from 'pg';

export interface SweepPorts {
  readonly bus: Pick<MessageBus, 'publish'>;
  /** Accounts on which something has fallen due, the longest overdue first. */
  readonly dueAccounts: (range: DueRange) => Promise<readonly DueAccount[]>;
  readonly clock: () => number;
  /** Monotonic milliseconds. */
  readonly elapsed?: () => number;
}

export interface SweepLimits {
  /** Most accounts that one sweep asks for, and that it reads at a time. */
  readonly per_sweep: number;
  /** Most accounts that are remembered as asked for. */
  readonly remembered: number;
  /** Most that are asked for beyond those. */
  readonly beyond: number;
}

const LIMITS: SweepLimits = { per_sweep: 10_000, remembered: 100_000, beyond: 500 };
const INTERVAL_MS = 10_000;
/** An account that makes no progress is asked for again after the first, and then ever more rarely. */
const AGAIN_AFTER_MS = { first: 60_000, most: 3_600_000 };
/** One writer sweeps, for as long as it runs: it alone remembers what was asked for. */
const SWEEP_LOCK = 0x5_3ee9;

/** Sweeps until closed, in one of the running writers at a time. */
export function startSweeping(
  ports: SweepPorts & { readonly pool: Pool; readonly on_error: (error: unknown) => void },
): { close(): Promise<void> } {
  const sweeper = new Sweeper(ports);
  const closing = new AbortController();
  let running: Promise<unknown> | undefined;

  async function sweepUntil(ending: AbortSignal): Promise<void> {
    while (!ending.aborted) {
      await sweeper.sweep();
      await sleep(INTERVAL_MS, undefined, { signal: ending }).catch(() => {});
    }
  }
  const standIn = () =>
    withAdvisoryLock(ports.pool, SWEEP_LOCK, (lost) =>
      sweepUntil(AbortSignal.any([lost, closing.signal])),
    );
  const timer = setInterval(() => {
    running ??= standIn()
      .catch(ports.on_error)
      .finally(() => (running = undefined));
  }, INTERVAL_MS);
  return {
    async close() {
      clearInterval(timer);
      closing.abort();
      await running;
    },
  };
}

interface Asked {
  readonly account: DueAccount;
  readonly times: number;
  readonly again_at: number;
}

/**
 * Asks for what has fallen due on accounts that nobody touches. Repeating is harmless, but while a
 * partition or the read side stands still it is of no use either: whoever was asked for lately is left
 * alone, and those behind get their turn.
 */
export class Sweeper {
  #asked = new Map<AccountKey, Asked>();
  /** Up to where those were asked for that are too many to be remembered. */
  #beyond: DueAccount | undefined;

  constructor(
    private readonly ports: SweepPorts,
    private readonly limits: SweepLimits = LIMITS,
  ) {}

  /** Returns how many were asked for. */
  async sweep(): Promise<number> {
    const { bus, clock, elapsed = () => performance.now() } = this.ports;
    const now = instantOf(clock());
    const { due, asked, beyond } = await this.#choose(now, elapsed());
    const messages = due.map(message);
    if (messages.length > 0) await bus.publish(TOPICS.requests, messages);
    this.#asked = asked; // not before: what could not be published was not asked for
    this.#beyond = beyond;
    return due.length;
  }

  async #choose(before: Instant, now: number) {
    const { per_sweep, remembered } = this.limits;
    const due: DueAccount[] = [];
    const asked = new Map<AccountKey, Asked>();
    let last: DueAccount | undefined;
    for await (const account of this.#due(before)) {
      if (asked.size === remembered) {
        const beyond = await this.#chooseBeyond(before, last!);
        return { due: [...due, ...beyond], asked, beyond: beyond.at(-1) };
      }
      const key = accountKey(account.tenant_id, account.account_id);
      const known = this.#asked.get(key);
      const is_same = known?.account.next_due_at === account.next_due_at;
      if (is_same && now < known.again_at) {
        asked.set(key, known);
      } else {
        if (due.length === per_sweep) break;
        due.push(account);
        asked.set(key, askedFor(account, is_same ? known.times + 1 : 1, now));
      }
      last = account;
    }
    if (due.length === per_sweep) this.#keepBehind(last!, asked);
    return { due, asked, beyond: undefined };
  }

  async *#due(before: Instant): AsyncGenerator<DueAccount> {
    const limit = this.limits.per_sweep;
    for (let after: DueAccount | undefined; ;) {
      const page = await this.ports.dueAccounts({ before, after, limit });
      yield* page;
      if (page.length < limit) return;
      after = page.at(-1);
    }
  }

  /** Few at a time, and each of them in turn: where so many stand still, more messages help nobody. */
  async #chooseBeyond(before: Instant, last: DueAccount): Promise<readonly DueAccount[]> {
    const after = this.#beyond !== undefined && isBehind(this.#beyond, last) ? this.#beyond : last;
    return this.ports.dueAccounts({ before, after, limit: this.limits.beyond });
  }

  /** What was not looked at may still make no progress; all others that were not met have made some. */
  #keepBehind(last: DueAccount, asked: Map<AccountKey, Asked>): void {
    for (const [key, known] of this.#asked) {
      if (asked.size === this.limits.remembered) return;
      if (isBehind(known.account, last)) asked.set(key, known);
    }
  }
}

function askedFor(account: DueAccount, times: number, now: number): Asked {
  const { first, most } = AGAIN_AFTER_MS;
  return { account, times, again_at: now + Math.min(most, first * 2 ** (times - 1)) };
}

function isBehind(one: DueAccount, other: DueAccount): boolean {
  if (one.next_due_at !== other.next_due_at) return one.next_due_at > other.next_due_at;
  if (one.tenant_id !== other.tenant_id) return one.tenant_id > other.tenant_id;
  return one.account_id > other.account_id;
}

/**
 * Its time decides nothing: what fell due has instants of its own. One of this process's clock could be in
 * the broker's future, and a writer of an older version refuses a request without one.
 */
const LONG_AGO = instantOf(0);

const message = (account: DueAccount): OutgoingMessage => ({
  key: accountKey(account.tenant_id, account.account_id),
  value: encodeRequest({
    schema: REQUEST_SCHEMA,
    type: 'SweepRequested',
    tenant_id: account.tenant_id,
    account_id: account.account_id,
    request_id: `${SYSTEM_PREFIX}sweep:${account.next_due_at}`,
    occurred_at: LONG_AGO,
  }),
});
