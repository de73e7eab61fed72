import { GROUPS, REQUEST_TOPICS } from '#libs/contracts';
import type { Engines } from '#libs/engines';
import { BatchTransport } from '#libs/message-bus';
import {
  createWatchdog,
  nestLogger,
  type Clock,
  type Health,
  type Logger,
  type Metrics,
} from '#libs/platform';
import { dueAccounts, lookUp, parkAccount } from '#libs/read-models';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { AccountCache } from './account-cache.js';
import { LedgerWriterModule } from './ledger-writer.module.js';
import { PriceBookShelf } from './price-book-shelf.js';
import { shippedPriceBook } from './shipped-price-book.js';
import { Stalls } from './stalls.js';
import { startSweeping } from './sweep.js';
import { countOutcome } from './writer-metrics.js';
import type { WriterPorts } from './writer.js';

export interface LedgerWriterOptions {
  readonly engines: Engines;
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Most messages per batch: enough to share the round trips, little enough to fail cheaply. */
const MAX_BATCH = 2_000;
const STUCK_LIMIT_SECONDS = 30;
const STALL_LIMIT_MS = 1_000;

export interface LedgerWriter {
  /** Makes sure that these tenants have a price book. */
  readonly shelf: PriceBookShelf;
  /** Finishes the batch in hand, commits, leaves the group. */
  close(): Promise<void>;
}

/** Joins the group and decides until it is closed. */
export async function startLedgerWriter(options: LedgerWriterOptions): Promise<LedgerWriter> {
  const { engines, logger, metrics, clock } = options;
  const { bus, store, pool } = engines;
  const shelf = new PriceBookShelf(store, await shippedPriceBook());
  const ports: WriterPorts = {
    store,
    bus,
    shelf,
    read_side: {
      lookUp: (questions) => lookUp(pool, questions),
      park: (account) => parkAccount(pool, account),
    },
    cache: new AccountCache(),
    stalls: new Stalls(),
    observe: (outcome) => countOutcome(metrics, outcome),
    clock,
  };
  const transport = new BatchTransport(bus, {
    group: GROUPS.writer,
    topics: REQUEST_TOPICS,
    max_batch: MAX_BATCH,
    on_failure: (err, attempt) => {
      metrics.batch_failures_total.inc({ worker: GROUPS.writer });
      logger.error({ err, attempt }, 'a batch failed; it is delivered again');
    },
  });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(
    LedgerWriterModule.register(ports),
    { strategy: transport, logger: nestLogger(logger), abortOnError: false },
  );
  await app.listen();
  const unwatch = watch(options, ports.stalls);
  const sweeping = startSweeping({
    bus,
    clock,
    pool,
    dueAccounts: (by, limit) => dueAccounts(pool, by, limit),
    on_error: (err) => logger.warn({ err }, 'a sweep failed; the next one repeats it'),
  });
  return {
    shelf,
    async close() {
      unwatch();
      await sweeping.close();
      await app.close();
    },
  };
}

/** Not ready while the read side is too far behind, or while work waits and none is done. */
function watch({ engines, health, metrics }: LedgerWriterOptions, stalls: Stalls): () => void {
  const worker = GROUPS.writer;
  const positions = () => engines.bus.positions(GROUPS.writer, REQUEST_TOPICS);
  const watchdog = createWatchdog({
    limit_seconds: STUCK_LIMIT_SECONDS,
    observe: (seconds) => metrics.stuck_for_seconds.set({ worker }, seconds),
    look: async () => {
      const partitions = (await positions()).map(({ topic, partition, begin, end, committed }) => ({
        name: `${topic}/${partition}`,
        lag: end - (committed ?? begin),
        position: committed,
      }));
      metrics.lag.set(
        { worker },
        partitions.reduce((sum, { lag }) => sum + lag, 0),
      );
      return partitions;
    },
  });
  const removals = [
    health.add('readiness', 'ledger_writer', watchdog),
    health.add('readiness', 'ledger_writer_read_side', () => {
      const waiting_ms = stalls.waitingMs();
      if (waiting_ms < STALL_LIMIT_MS) return undefined;
      return `the read side is too far behind to decide, for ${Math.round(waiting_ms)} ms`;
    }),
  ];
  return () => {
    for (const remove of removals) remove();
  };
}
