import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Learns on stdin which processes work on the folder that it was given (`+pid` when one starts, `-pid`
 * when it has ended). When stdin closes its owner is gone: it ends them and deletes the folder.
 */
const folder = process.argv[2]!;
const running = new Set<number>();

/** False when it is not there any more. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (signal(pid, 0)) await sleep(20);
}

async function postgresPid(): Promise<number | undefined> {
  const text = await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
  return Number.parseInt(text, 10) || undefined;
}

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) running.add(pid);
  else running.delete(pid);
}
for (const pid of running) signal(pid, 'SIGKILL');
await Promise.all([...running].map(gone));
const postgres = await postgresPid();
// An immediate shutdown: it takes its own processes with it.
if (postgres !== undefined && signal(postgres, 'SIGQUIT')) await gone(postgres);
await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
