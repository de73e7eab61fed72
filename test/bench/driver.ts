import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { TOPICS, type Topic } from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import { projectedUpTo } from '#libs/read-models';
import { grant, TENANT, usage } from './requests.js';
import type { Runner } from './round.js';
import type { Totals } from './workload.js';

const PUBLISH_BATCH = 2_000;
/** Publishes under way at once. */
const PUBLISHERS = 3;
/**
 * So many requests are sent and not yet visible at most: what is measured is how fast a ledger goes on,
 * not how fast it works off whatever was heaped up before it.
 */
const MAX_UNDER_WAY = 10_000;
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
  const visible = async () => (await projectedUpTo(pool)).events;

  /** From the first publish until the last row is visible in the balances. */
  async function decideAll(topic: Topic, parts: readonly Part[]) {
    let seen = await visible();
    let sent = seen;
    let next = 0;
    const publisher = async () => {
      for (let part = parts[next++]; part; part = parts[next++]) {
        sent += part.events;
        while (sent - seen > MAX_UNDER_WAY) await delay(POLL_MS);
        await bus.publish(topic, part.messages);
      }
    };
    const all = seen + parts.reduce((sum, { events }) => sum + events, 0);
    const watcher = async () => {
      while (seen < all) {
        await delay(POLL_MS);
        seen = await visible();
      }
    };
    await Promise.all([watcher(), ...Array.from({ length: PUBLISHERS }, publisher)]);
  }

  return {
    async fund(accounts) {
      const ids = Array.from({ length: accounts }, (_, i) => `acct-${i}`);
      await decideAll(TOPICS.requests, partsOf(ids.map(grant), ids));
    },
    prepare(requests) {
      const ids = requests.map(({ request_id }) => request_id);
      const parts = partsOf(requests.map(usage), ids);
      return () => decideAll(TOPICS.usage, parts);
    },
    totals: () => totalsOf(pool),
  };
}

/** What one publish sends. */
interface Part {
  readonly messages: readonly OutgoingMessage[];
  /** That it will lead to: none for a message whose id was sent before. */
  readonly events: number;
}

function partsOf(messages: readonly OutgoingMessage[], ids: readonly string[]): Part[] {
  const parts: Part[] = [];
  const sent = new Set<string>();
  for (let from = 0; from < messages.length; from += PUBLISH_BATCH) {
    const to = from + PUBLISH_BATCH;
    const before = sent.size;
    for (const id of ids.slice(from, to)) sent.add(id);
    parts.push({ messages: messages.slice(from, to), events: sent.size - before });
  }
  return parts;
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
