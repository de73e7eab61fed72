import { setTimeout as sleep } from 'node:timers/promises';
import { ACCOUNT_STREAM_PREFIX, epochMsOf, InvariantBroken } from '#libs/contracts';
import type { EventReader, RecordedEvent } from '#libs/event-store';
import {
  backoffMs,
  failureFields,
  withAdvisoryLock,
  type Backoff,
  type Clock,
  type Logger,
} from '#libs/platform';
import { createProjection, type Applied, type Checkpoint } from '#libs/read-models';
import type { Pool } from 'pg';
import { gathered } from './gathered.js';

interface ProjectionPorts {
  readonly store: Pick<EventReader, 'subscribe' | 'holds' | 'readAll'>;
  readonly pool: Pool;
  readonly logger: Logger;
  readonly metrics: ProjectorMetrics;
  readonly clock: Clock;
}

type Measure = (labels: { readonly worker: string }, value: number) => void;

/** What the projector measures, of the project's metrics. */
export interface ProjectorMetrics {
  readonly batch_messages: { readonly observe: Measure };
  readonly batch_duration_seconds: { readonly observe: Measure };
  readonly batch_failures_total: { readonly inc: (labels: { readonly worker: string }) => void };
  readonly lag: { readonly set: Measure };
  readonly delay_seconds: { readonly set: Measure };
  readonly stuck_for_seconds: { readonly set: Measure };
}

interface ProjectionTimes {
  /** How long a small batch waits for more. */
  readonly linger_ms: number;
  /** How often a projector that stands by asks whether it is its turn. */
  readonly stand_by_ms: number;
  /** Pauses after failures. */
  readonly retry: Backoff;
  /** After so long without events the store is asked whether there are none. */
  readonly silence_ms: number;
}

const TIMES: ProjectionTimes = {
  linger_ms: 10,
  stand_by_ms: 1_000,
  retry: { min_ms: 100, max_ms: 5_000 },
  silence_ms: 10_000,
};

export const WORKER = 'projector';
const MAX_BATCH = 2_000;
/** One projector at a time; the others stand by. The checkpoint guards against two, the lock saves work. */
const PROJECTOR_LOCK = 0x9_707ec;

/** The one projection of a process, at work, standing by, or stopped for good. */
export class ProjectionRun {
  /** Why it stopped for good: the events contradict what is projected. */
  broken: InvariantBroken | undefined;
  standing_by = false;
  /** Events that were taken and are not written yet. */
  in_hand = 0;
  checkpoint: Checkpoint | null = null;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #failures = 0;
  #heard_at = 0;

  constructor(
    private readonly ports: ProjectionPorts,
    private readonly times: ProjectionTimes = TIMES,
  ) {
    this.#running = this.#run();
  }

  /** Resolves when it has stopped: closed, or for good. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Writes what is in hand and stops. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger, metrics, pool } = this.ports;
    while (!this.#closing.signal.aborted && this.broken === undefined) {
      try {
        const ran = await withAdvisoryLock(pool, PROJECTOR_LOCK, (lost) => this.#project(lost));
        this.standing_by = !ran;
        if (!ran) await this.#pause(this.times.stand_by_ms);
      } catch (err) {
        metrics.batch_failures_total.inc({ worker: WORKER });
        if (err instanceof InvariantBroken) {
          this.broken = err; // whoever runs it logs it, and may end the process
          return;
        }
        this.#failures += 1;
        const fields = { ...failureFields(err), attempt: this.#failures };
        logger.error(fields, 'projecting failed; it begins again');
        await this.#pause(backoffMs(this.times.retry, this.#failures));
      }
    }
  }

  /** Projects from the stored checkpoint on, until it is closed, loses the lock, or something fails. */
  async #project(lost: AbortSignal): Promise<void> {
    const { store, pool } = this.ports;
    this.standing_by = false;
    const projection = createProjection(pool);
    const checkpoint = await projection.loadCheckpoint();
    await requireHeld(store, checkpoint);
    this.checkpoint = checkpoint;
    this.in_hand = 0;
    this.#heard_at = this.ports.clock();

    const ending = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, lost, ending.signal]);
    const batches = store.subscribe({
      prefix: ACCOUNT_STREAM_PREFIX,
      after: checkpoint?.position ?? null,
      batch_size: MAX_BATCH,
      signal,
    });
    const listening = this.#listen(signal).catch((error: unknown) => ending.abort(error));
    const { linger_ms } = this.times;
    let written: Promise<void> = Promise.resolve();
    try {
      for await (const batch of gathered(batches, { max_batch: MAX_BATCH, linger_ms })) {
        const applied = this.#apply(batch, projection.apply(batch));
        applied.catch((error: unknown) => ending.abort(error));
        await written; // one batch is folded while the one before is written
        written = applied;
      }
      await written;
      if (ending.signal.aborted) throw ending.signal.reason;
    } finally {
      ending.abort();
      await listening;
    }
  }

  async #apply(batch: readonly RecordedEvent[], applying: Promise<Applied>): Promise<void> {
    const { clock, metrics } = this.ports;
    const taken_at = clock();
    this.#heard_at = taken_at;
    this.in_hand += batch.length;
    metrics.lag.set({ worker: WORKER }, this.in_hand);
    const { checkpoint, recorded_at } = await applying;
    const now = clock();
    this.in_hand -= batch.length;
    this.checkpoint = checkpoint;
    this.#failures = 0;
    metrics.lag.set({ worker: WORKER }, this.in_hand);
    metrics.batch_messages.observe({ worker: WORKER }, batch.length);
    metrics.batch_duration_seconds.observe({ worker: WORKER }, (now - taken_at) / 1_000);
    if (recorded_at !== null) {
      const delay_ms = Math.max(0, now - epochMsOf(recorded_at));
      metrics.delay_seconds.set({ worker: WORKER }, delay_ms / 1_000);
    }
  }

  /**
   * Rejects when the subscription is silent although there are events: some clients lose one without a
   * word. Twice in a row, since one may have been appended just before it was asked for.
   */
  async #listen(signal: AbortSignal): Promise<void> {
    const { silence_ms } = this.times;
    for (let missed: string | undefined; !signal.aborted;) {
      await sleep(silence_ms, undefined, { signal }).catch(() => {});
      if (signal.aborted || this.ports.clock() - this.#heard_at < silence_ms) continue;
      const event = await this.nextWaiting();
      if (event !== undefined && event.event_id === missed) {
        throw new Error(`the subscription does not deliver ${event.stream} at ${event.revision}`);
      }
      missed = event?.event_id;
    }
  }

  /** The next event that was not even taken; undefined when there is none, or when some are in hand. */
  async nextWaiting(): Promise<RecordedEvent | undefined> {
    if (this.in_hand > 0 || this.standing_by) return undefined;
    const after = this.checkpoint?.position ?? null;
    const range = { prefix: ACCOUNT_STREAM_PREFIX, after, batch_size: 1 };
    for await (const [event] of this.ports.store.readAll(range)) return event;
    return undefined;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closing.signal }).catch(() => {});
  }
}

/** F14: a store that lost its tail, or is another one, is never silently accepted. */
async function requireHeld(
  store: Pick<EventReader, 'holds'>,
  checkpoint: Checkpoint | null,
): Promise<void> {
  if (checkpoint === null || (await store.holds(checkpoint))) return;
  throw new InvariantBroken(
    `the event store does not hold event ${checkpoint.event_id} at position ` +
      `${checkpoint.position}, up to which the read models are projected: it lost its tail, or it ` +
      'is another store. Stop the writers, then rebuild the read models: usage-ledger rebuild',
  );
}
