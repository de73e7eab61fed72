import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Health, Metrics } from '#libs/platform';
import { createBirpc } from 'birpc';
import { WORKER } from './projection-run.js';
import type { Projector } from './projection.js';
import type { OwnerCalls, ThreadCalls } from './thread-calls.js';

export interface ThreadOptions {
  /** What the thread reads its configuration from; this process's environment when left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly health: Health;
  readonly metrics: Metrics;
  /** Called with what no retry fixes: the process should end. */
  readonly fail: (error: unknown, message: string) => void;
}

/**
 * Starts the projection in a thread with an event store and connections of its own. Its readiness and
 * its metrics are this process's. Rejects when it cannot start.
 */
export async function startProjectionThread(options: ThreadOptions): Promise<Projector> {
  const { env, health, metrics, fail } = options;
  const worker = new Worker(new URL('thread.js', import.meta.url), {
    // Not this process's own: what is preloaded into it is meant for its main thread.
    execArgv: ['--enable-source-maps'],
    ...(env && { env }),
  });
  let reportStarted: () => void;
  const started = new Promise<void>((resolve) => (reportStarted = resolve));
  let reportBroken: (error: Error) => void;
  const broken = new Promise<Error>((resolve) => (reportBroken = resolve));
  const thread = createBirpc<ThreadCalls, OwnerCalls>(
    {
      started: () => reportStarted(),
      broken: (error) => reportBroken(error),
      failed: fail,
      measured: (metric, ...value) => measure(metrics[metric], ...value),
    },
    {
      post: (data) => worker.postMessage(data),
      on: (listener) => worker.on('message', listener),
    },
  );

  const ended = once(worker, 'exit').then(([code]) => {
    throw new Error(`the projector's thread has ended with code ${code}`);
  });
  await Promise.race([started, ended]);
  let is_closing = false;
  ended.catch((error: unknown) => {
    if (!is_closing) fail(error, 'the projector cannot go on');
  });
  const unwatch = health.add('readiness', WORKER, () => thread.readiness());
  return {
    broken,
    async close() {
      is_closing = true;
      unwatch();
      await Promise.race([thread.close(), ended]);
      await worker.terminate();
    },
  };
}

type Metric = Metrics[Parameters<OwnerCalls['measured']>[0]];

function measure(metric: Metric, labels: { readonly worker: string }, value: number): void {
  if ('observe' in metric) metric.observe(labels, value);
  else if ('set' in metric) metric.set(labels, value);
  else metric.inc(labels, value);
}
