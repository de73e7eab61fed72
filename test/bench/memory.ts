import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { throwAway } from '#apps/standalone';
import { TOPICS } from '#libs/contracts';
import type { Engines } from '#libs/engines';
import { projectedUpTo } from '#libs/read-models';
import { openQuietEngines } from '../engines.js';
import { startApp, stopApp } from './app-process.js';
import { oneProcess } from './cpu.js';
import { grant, usage } from './requests.js';
import { workload } from './workload.js';

/**
 * Sends requests to one account and tells, part by part, the memory of a ledger-writer that runs as a
 * process of its own, and its CPU per request: both must stay flat.
 */
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '1000000' } },
});
const PARTS = 10;
const PART = Math.ceil(Number(values.requests) / PARTS);
const PUBLISH_BATCH = 2_000;

/** Resident memory now and at its highest, in MB; from /proc. */
function memoryOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024);
  return { rss_mb: megabytes('VmRSS'), peak_mb: megabytes('VmHWM') };
}

/** Answers how many events there are when all of the part is visible. */
async function sendPart({ bus, pool }: Engines, part: number, already: number): Promise<number> {
  const requests = workload(`memory-${part}`, PART, 1);
  for (let at = 0; at < requests.length; at += PUBLISH_BATCH) {
    await bus.publish(TOPICS.usage, requests.slice(at, at + PUBLISH_BATCH).map(usage));
  }
  const events = already + new Set(requests.map(({ request_id }) => request_id)).size;
  while ((await projectedUpTo(pool)).events < events) await delay(50);
  return events;
}

const kept = await throwAway('usage-ledger-memory');
const env = {
  DATA_DIR: kept.folder,
  KAFKA_BROKERS: 'embedded',
  EVENTSTORE_URL: 'embedded',
  POSTGRES_URL: 'embedded',
};
const engines = await openQuietEngines(env, { access: 'own' });
const projector = startApp('projector', { ...env, PORT: '0' }, kept);
const writer = startApp('ledger-writer', { ...env, PORT: '0' }, kept);
try {
  await engines.bus.publish(TOPICS.requests, [grant('acct-0')]);
  let events = 1;
  let cpu_before = 0;
  for (let part = 1; part <= PARTS; part += 1) {
    events = await sendPart(engines, part, events);
    const cpu = oneProcess(writer.pid);
    const writer_cpu_us = Math.round((cpu - cpu_before) / PART);
    cpu_before = cpu;
    const told = { requests: PART * part, ...memoryOf(writer.pid!), writer_cpu_us };
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
} finally {
  await Promise.all([stopApp(writer), stopApp(projector)]);
  await engines.close();
  await kept.end();
}
