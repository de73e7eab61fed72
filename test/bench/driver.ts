import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { TOPICS, type Topic } from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import { projectedUpTo } from '#libs/read-models';
import { grant, TENANT, usage } from './requests.js';
import type { Runner } from './round.js';
import { expectation, type Totals } from './workload.js';

const PUBLISH_BATCH = 2_000;
/** Publishes under way at once: the bus is kept busy and the process bounded. */
const PUBLISHERS = 3;
const POLL_MS = 10;

/** Puts requests on a ledger's message bus and sees in its read models what becomes of them. */
export interface Driver extends Runner {
  /** Gives each account a pack and waits until it is projected. */
  fund(accounts: number): Promise<void>;
}

export interface DriverPorts {
  readonly bus: MessageBus;
  readonly pool: Pool;
}

export async function driverOf({ bus, pool }: DriverPorts): Promise<Driver> {
  let { events } = await projectedUpTo(pool);

  /** From the first publish until the last row is visible in the balances. */
  async function decideAll(topic: Topic, messages: readonly OutgoingMessage[], unique: number) {
    let next = 0;
    const publisher = async () => {
      while (next < messages.length) {
        const from = next;
        next += PUBLISH_BATCH;
        await bus.publish(topic, messages.slice(from, next));
      }
    };
    await Promise.all(Array.from({ length: PUBLISHERS }, publisher));
    events += unique;
    while ((await projectedUpTo(pool)).events < events) await delay(POLL_MS);
  }

  return {
    async fund(accounts) {
      const grants = Array.from({ length: accounts }, (_, i) => grant(`acct-${i}`));
      await decideAll(TOPICS.requests, grants, accounts);
    },
    prepare(requests) {
      const { unique } = expectation(requests);
      const messages = requests.map(usage);
      return () => decideAll(TOPICS.usage, messages, unique);
    },
    totals: () => totalsOf(pool),
  };
}

/** Of the read models; throws when balances and invoices do not agree. */
async function totalsOf(pool: Pool): Promise<Totals> {
  const used = await pool.query<{ unique: bigint; credits: bigint }>(
    `select coalesce(sum(lines), 0) as unique, coalesce(sum(credits), 0) as credits
     from read.usage_totals where tenant_id = $1`,
    [TENANT],
  );
  const held = await pool.query<{ granted: bigint; available: bigint }>(
    `select (select coalesce(sum(credits), 0) from read.grants where tenant_id = $1) as granted,
            (select coalesce(sum(available), 0) from read.accounts where tenant_id = $1) as available`,
    [TENANT],
  );
  const { unique, credits } = used.rows[0]!;
  const { granted, available } = held.rows[0]!;
  if (granted - available !== credits) {
    throw new Error(`balances say ${granted - available} credits were used, invoices ${credits}`);
  }
  return { unique: Number(unique), credits: Number(credits) };
}
