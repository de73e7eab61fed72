import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Health } from './health.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Every metric of the project, in this one place: a name is a promise to dashboards and alarms.
 * One set per process, handed to whoever counts.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    http_request_duration_seconds: new Histogram({
      name: 'ledger_http_request_duration_seconds',
      help: 'Time to answer an HTTP request, by route and status',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    }),
    in_flight: new Gauge({
      name: 'ledger_in_flight',
      help: 'Requests that were published or are about to be, and are not yet answered',
      registers,
    }),
    published_total: new Counter({
      name: 'ledger_published_total',
      help: 'Messages made durable on the message bus, by topic',
      labelNames: ['topic'],
      registers,
    }),
    publish_failures_total: new Counter({
      name: 'ledger_publish_failures_total',
      help: 'Publishes that may not be durable, by topic',
      labelNames: ['topic'],
      registers,
    }),
    decisions_total: new Counter({
      name: 'ledger_decisions_total',
      help: 'Requests answered by the writer, by outcome and reason; replayed ones apart',
      labelNames: ['outcome', 'reason', 'replayed'],
      registers,
    }),
    dead_letters_total: new Counter({
      name: 'ledger_dead_letters_total',
      help: 'Messages that were not decided, by reason',
      labelNames: ['reason'],
      registers,
    }),
    batch_messages: new Histogram({
      name: 'ledger_batch_messages',
      help: 'Messages or events in a batch, by worker',
      labelNames: ['worker'],
      buckets: [1, 5, 20, 100, 500, 1_000, 2_000, 5_000],
      registers,
    }),
    batch_duration_seconds: new Histogram({
      name: 'ledger_batch_duration_seconds',
      help: 'Time from taking a batch to its being durable, by worker',
      labelNames: ['worker'],
      buckets: SECONDS,
      registers,
    }),
    batch_failures_total: new Counter({
      name: 'ledger_batch_failures_total',
      help: 'Batches that failed and come again, by worker',
      labelNames: ['worker'],
      registers,
    }),
    lag: new Gauge({
      name: 'ledger_lag',
      help: 'Messages or events that wait for a worker',
      labelNames: ['worker'],
      registers,
    }),
    delay_seconds: new Gauge({
      name: 'ledger_delay_seconds',
      help: 'From the time of an event to its being durable with a worker, last batch',
      labelNames: ['worker'],
      registers,
    }),
    stuck_for_seconds: new Gauge({
      name: 'ledger_stuck_for_seconds',
      help: 'How long a worker has had work and made no progress, or could not be asked',
      labelNames: ['worker'],
      registers,
    }),
  };
}
export type Metrics = ReturnType<typeof createMetrics>;

/** Adds what Node measures of the process: memory, event loop, garbage collection. Once per process. */
export const measureProcess = ({ registry }: Metrics): void =>
  collectDefaultMetrics({ register: registry });

/** Content type of what `scrape` returns. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * All metrics as Prometheus text. What waits, and for how long, is measured by the checks: an alarm must
 * not hang on who asks them.
 */
export async function scrape({ registry }: Metrics, health: Health): Promise<string> {
  await health.report('readiness');
  return registry.metrics();
}
