import { GROUPS, REQUEST_TOPICS } from '#libs/contracts';
import type { Engines } from '#libs/engines';
import { BatchTransport } from '#libs/message-bus';
import { nestLogger, type Clock, type Health, type Logger, type Metrics } from '#libs/platform';
import { dueAccounts, lookUp, parkAccount, setAsideAmong } from '#libs/read-models';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { AccountCache } from './account-cache.js';
import { LedgerWriterModule } from './ledger-writer.module.js';
import { pause } from './pause.js';
import { PriceBookCache } from './price-book-cache.js';
import { ReadSideWaits } from './read-side-wait.js';
import { shippedPriceBook } from './shipped-price-book.js';
import { requireStore } from './store-check.js';
import { startSweeping } from './sweep.js';
import { watchWriter } from './watch.js';
import { countBatch } from './writer-metrics.js';
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

export interface LedgerWriter {
  /** A tenant whose price books were refreshed has one. */
  readonly price_books: PriceBookCache;
  /** Finishes the batch in hand, commits, leaves the group. */
  close(): Promise<void>;
}

/** Joins the group and decides until it is closed. Throws CannotStart without an event store. */
export async function startLedgerWriter(options: LedgerWriterOptions): Promise<LedgerWriter> {
  const { engines, logger, health, metrics, clock } = options;
  const { bus, store, pool } = engines;
  await requireStore(store);
  const price_books = new PriceBookCache(store, await shippedPriceBook(), clock);
  const ports: WriterPorts = {
    store,
    bus,
    price_books,
    read_side: {
      lookUp: (questions) => lookUp(pool, questions),
      setAsideAmong: (messages) => setAsideAmong(pool, messages),
      park: (account) => parkAccount(pool, account),
    },
    cache: new AccountCache(),
    read_side_waits: new ReadSideWaits(),
    pause,
    observe: (result) => countBatch(metrics, result),
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
  const { read_side_waits } = ports;
  const assigned = () => transport.assigned();
  const unwatch = watchWriter({ bus, store, assigned, read_side_waits, health, metrics, clock });
  const sweeping = startSweeping({
    bus,
    clock,
    pool,
    dueAccounts: (range) => dueAccounts(pool, range),
    on_error: (err) => logger.warn({ err }, 'a sweep failed; the next one repeats it'),
  });
  return {
    price_books,
    async close() {
      unwatch();
      const swept = sweeping.close();
      // A sweep may hang for as long as its database does; the partitions are given up without it.
      await app.close();
      await swept;
    },
  };
}
