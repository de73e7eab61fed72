import { isatty } from 'node:tty';
import { parentPort } from 'node:worker_threads';
import { openStoreAlone } from '#libs/engines';
import { createHealth, createLogger, parseConfiguration, systemClock } from '#libs/platform';
import { createBirpc } from 'birpc';
import { WORKER, type ProjectorMetrics } from './projection-run.js';
import { startProjection } from './projection.js';
import { OWNER_EVENTS, type OwnerCalls, type ThreadCalls } from './thread-calls.js';

// The projection as a thread of its owner, see projection-thread.ts.
const port = parentPort!;
const owner = createBirpc<OwnerCalls, ThreadCalls>(
  { readiness, close },
  {
    post: (data) => port.postMessage(data),
    on: (listener) => port.on('message', listener),
    eventNames: OWNER_EVENTS,
  },
);
const configuration = parseConfiguration(process.env);
// A thread's standard output is its process's, but does not tell whether that is a terminal.
const out = Object.assign(process.stdout, { isTTY: isatty(1) });
const logger = createLogger('usage-ledger', configuration.log_level, out);
const health = createHealth();
const engines = await openStoreAlone({
  configuration,
  logger,
  name: WORKER,
  access: 'share',
  in_threads: true,
  on_fatal: (error, message) => void owner.failed(error, message),
});
const projection = startProjection({
  engines,
  logger,
  health,
  metrics: {
    batch_messages: toldAs('batch_messages'),
    batch_duration_seconds: toldAs('batch_duration_seconds'),
    batch_failures_total: toldAs('batch_failures_total'),
    lag: toldAs('lag'),
    delay_seconds: toldAs('delay_seconds'),
    stuck_for_seconds: toldAs('stuck_for_seconds'),
  },
  clock: systemClock,
});
void projection.broken.then((error) => owner.broken(error));
void owner.started();

/** A metric whose values are told to the owner. */
function toldAs(metric: keyof ProjectorMetrics) {
  const tell = (labels: { readonly worker: string }, value = 1) =>
    void owner.measured(metric, labels, value);
  return { inc: tell, set: tell, observe: tell };
}

async function readiness(): Promise<string | undefined> {
  const result = (await health.report('readiness')).checks[WORKER];
  return result === 'ok' ? undefined : result;
}

async function close(): Promise<void> {
  await projection.close();
  await engines.close();
}
