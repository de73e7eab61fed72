import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endingOf, type Environment, type ThrowAway } from '#apps/standalone';

const ROOT = new URL('../../../', import.meta.url);
const PATIENCE_MS = 60_000;
const PAUSE_MS = 50;

export type App = 'usage-gateway' | 'ledger-writer' | 'projector';

/** As `npm run start:<app>` does, with the same flags; what it prints goes to standard error. */
export function startApp(app: App, env: Environment, kept: ThrowAway): ChildProcess {
  const manifest = readFileSync(new URL('package.json', ROOT), 'utf8');
  const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> };
  const [, ...args] = scripts[`start:${app}`]!.split(' ');
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(ROOT),
    env: { ...process.env, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', process.stderr, process.stderr],
  });
  kept.adopt(child);
  return child;
}

/** Asks it to stop and waits until it has. */
export async function stopApp(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = endingOf(child);
  child.kill('SIGTERM');
  await ended;
}

/** Resolves when /readyz says so. */
export async function untilReady(url: string): Promise<void> {
  for (const give_up_ms = Date.now() + PATIENCE_MS; Date.now() < give_up_ms;) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await delay(PAUSE_MS);
  }
  throw new Error(`${url} is not ready after ${PATIENCE_MS} ms`);
}
