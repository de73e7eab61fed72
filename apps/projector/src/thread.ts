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
    batch_messages: sentAs('batch_messages'),
    batch_duration_seconds: sentAs('batch_duration_seconds'),
    batch_failures_total: sentAs('batch_failures_total'),
    lag: sentAs('lag'),
    delay_seconds: sentAs('delay_seconds'),
    stuck_for_seconds: sentAs('stuck_for_seconds'),
  },
  clock: systemClock,
});
void projection.broken.then((error) => owner.broken(error));
void owner.started();

/** A metric whose values are sent to the owner. */
function sentAs(metric: keyof ProjectorMetrics) {
  const send = (labels: { readonly worker: string }, value = 1) =>
    void owner.measured(metric, labels, value);
  return { inc: send, set: send, observe: send };
}

async function readiness(): Promise<string | undefined> {
  const result = (await health.report('readiness')).checks[WORKER];
  return result === 'ok' ? undefined : result;
}

async function close(): Promise<void> {
  await projection.close();
  await engines.close();
}
