import {
  accountKey,
  encodeRequest,
  instantOf,
  REQUEST_SCHEMA,
  SYSTEM_PREFIX,
  TOPICS,
  type Instant,
} from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import { withAdvisoryLock } from '#libs/platform';
import type { Pool } from 'pg';

export interface DueAccount {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly next_due_at: Instant;
}

export interface SweepPorts {
  readonly pool: Pool;
  readonly bus: Pick<MessageBus, 'publish'>;
  /** Accounts on which something has fallen due by then, the longest overdue first. */
  readonly dueAccounts: (by: Instant, limit: number) => Promise<readonly DueAccount[]>;
  readonly clock: () => number;
}

const ACCOUNTS_PER_SWEEP = 10_000;
const INTERVAL_MS = 10_000;
/** One sweep at a time over all writers. */
const SWEEP_LOCK = 0x5_3ee9;

/** Sweeps until closed, in one of the running writers at a time. */
export function startSweeping(
  ports: SweepPorts & { readonly on_error: (error: unknown) => void },
): { close(): Promise<void> } {
  let running: Promise<unknown> = Promise.resolve();
  const once = () => withAdvisoryLock(ports.pool, SWEEP_LOCK, () => sweep(ports));
  const timer = setInterval(() => {
    running = running.then(once).catch(ports.on_error);
  }, INTERVAL_MS);
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}

/**
 * Asks for what has fallen due on accounts that nobody touches, and returns how many were asked.
 * Repeating is harmless: a second sweep finds nothing due.
 */
export async function sweep({ bus, dueAccounts, clock }: SweepPorts): Promise<number> {
  const now = instantOf(clock());
  const due = await dueAccounts(now, ACCOUNTS_PER_SWEEP);
  if (due.length > 0)
    await bus.publish(
      TOPICS.requests,
      due.map((account) => message(account, now)),
    );
  return due.length;
}

const message = (account: DueAccount, occurred_at: Instant): OutgoingMessage => ({
  key: accountKey(account.tenant_id, account.account_id),
  value: encodeRequest({
    schema: REQUEST_SCHEMA,
    type: 'SweepRequested',
    tenant_id: account.tenant_id,
    account_id: account.account_id,
    request_id: `${SYSTEM_PREFIX}sweep:${account.next_due_at}`,
    occurred_at,
  }),
});
