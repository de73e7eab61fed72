import { setTimeout as delay } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { startLedgerWriter } from '#apps/ledger-writer';
import { startProjector } from '#apps/projector';
import { TOPICS, type Topic } from '#libs/contracts';
import { openEngines, type Engines } from '#libs/engines';
import type { OutgoingMessage } from '#libs/message-bus';
import {
  createHealth,
  createLogger,
  createMetrics,
  parseConfiguration,
  systemClock,
} from '#libs/platform';
import { projectedUpTo } from '#libs/read-models';
import type { Totals } from './baselines.js';
import { grant, TENANT, usage } from './requests.js';
import type { BenchRequest } from './workload.js';

const PUBLISH_BATCH = 2_000;
/** Publishes under way at once: the bus is kept busy and the process bounded. */
const PUBLISHERS = 3;
const POLL_MS = 10;

/** The ledger as it runs in `npm start`, without HTTP: bus, writer, event store, projector. */
export interface LedgerUnderTest {
  readonly engines: Engines;
  readonly common: ReturnType<typeof quiet>;
  /** Gives each account a pack and waits until it is projected. */
  fund(accounts: number): Promise<void>;
  /** From the first publish until the last row is visible in the balances. */
  run(requests: readonly BenchRequest[]): Promise<void>;
  /** What the read models hold: consumed requests and their credits, and that balances agree. */
  totals(): Promise<Totals>;
  close(): Promise<void>;
}

const quiet = () => ({
  logger: createLogger('bench', 'warn', new PassThrough()),
  health: createHealth(),
  metrics: createMetrics(),
  clock: systemClock,
});

export async function startLedger(env: Record<string, string>): Promise<LedgerUnderTest> {
  const common = quiet();
  const configuration = parseConfiguration(env);
  const on_fatal = (error: unknown) => {
    throw error;
  };
  const options = { ...common, configuration, name: 'bench', access: 'own', on_fatal } as const;
  const engines = await openEngines(options);
  const projector = await startProjector({ ...common, engines });
  const writer = await startLedgerWriter({ ...common, engines });
  let events = (await projectedUpTo(engines.pool)).events;

  async function decideAll(topic: Topic, messages: readonly OutgoingMessage[], unique: number) {
    let next = 0;
    const publisher = async () => {
      while (next < messages.length) {
        const from = next;
        next += PUBLISH_BATCH;
        await engines.bus.publish(topic, messages.slice(from, next));
      }
    };
    await Promise.all(Array.from({ length: PUBLISHERS }, publisher));
    events += unique;
    while ((await projectedUpTo(engines.pool)).events < events) await delay(POLL_MS);
  }

  return {
    engines,
    common,
    fund: (accounts) =>
      decideAll(
        TOPICS.requests,
        Array.from({ length: accounts }, (_, i) => grant(`acct-${i}`)),
        accounts,
      ),
    run: (requests) =>
      decideAll(
        TOPICS.usage,
        requests.map(usage),
        new Set(requests.map(({ request_id }) => request_id)).size,
      ),
    totals: () => totalsOf(engines),
    async close() {
      await writer.close();
      await projector.close();
      await engines.close();
    },
  };
}

async function totalsOf({ pool }: Engines): Promise<Totals> {
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
