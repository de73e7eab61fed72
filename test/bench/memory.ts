import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openEngines } from '#libs/engines';
import { TOPICS } from '#libs/contracts';
import { createLogger, parseConfiguration } from '#libs/platform';
import { projectedUpTo } from '#libs/read-models';
import { PassThrough } from 'node:stream';
import { grant, usage } from './requests.js';
import { workload } from './workload.js';

/**
 * Sends requests to one account and tells, part by part, the memory of a ledger-writer that runs as a
 * process of its own, and its CPU per request: both must stay flat.
 */
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '1000000' } },
});
const TOTAL = Number(values.requests);
const PARTS = 10;
const PUBLISH_BATCH = 2_000;
const TICKS_PER_SECOND = 100;

const main = (app: string) =>
  fileURLToPath(new URL(`../../apps/${app}/src/main.js`, import.meta.url));

function startApp(app: string, DATA_DIR: string): ChildProcess {
  const env = { ...process.env, DATA_DIR, PORT: '0', LEDGER_DEV_KEY: 'bench', LOG_LEVEL: 'warn' };
  const options = ['--max-semi-space-size=8', main(app)];
  return spawn(process.execPath, options, { env, stdio: 'inherit' });
}

/** Resident memory now and at its highest, in MB, and CPU seconds; from /proc. */
function usageOf({ pid }: ChildProcess) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const cpu_s = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  return { rss_mb: megabytes('VmRSS'), peak_mb: megabytes('VmHWM'), cpu_s };
}

const data_dir = await mkdtemp(join(tmpdir(), 'usage-ledger-memory-'));
await chmod(data_dir, 0o755);
const engines = await openEngines({
  configuration: parseConfiguration({ DATA_DIR: data_dir }),
  logger: createLogger('bench', 'warn', new PassThrough()),
  name: 'bench',
  access: 'own',
  on_fatal: (error) => {
    throw error;
  },
});
const children = [startApp('projector', data_dir), startApp('ledger-writer', data_dir)];
const writer = children[1]!;

async function sendPart(part: number, already: number): Promise<number> {
  const requests = workload(`memory-${part}`, TOTAL / PARTS, 1);
  for (let at = 0; at < requests.length; at += PUBLISH_BATCH) {
    await engines.bus.publish(TOPICS.usage, requests.slice(at, at + PUBLISH_BATCH).map(usage));
  }
  const events = already + new Set(requests.map(({ request_id }) => request_id)).size;
  while ((await projectedUpTo(engines.pool)).events < events) await delay(50);
  return events;
}

try {
  await engines.bus.publish(TOPICS.requests, [grant('acct-0')]);
  let events = 1;
  let cpu_before = 0;
  for (let part = 1; part <= PARTS; part += 1) {
    events = await sendPart(part, events);
    const { rss_mb, peak_mb, cpu_s } = usageOf(writer);
    const cpu_us = ((cpu_s - cpu_before) * 1_000_000 * PARTS) / TOTAL;
    cpu_before = cpu_s;
    const told = { requests: (TOTAL / PARTS) * part, rss_mb, peak_mb, writer_cpu_us: cpu_us };
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
} finally {
  for (const child of children) child.kill('SIGTERM');
  for (const child of children) if (child.exitCode === null) await once(child, 'exit');
  await engines.close();
  await rm(data_dir, { recursive: true, force: true });
}
