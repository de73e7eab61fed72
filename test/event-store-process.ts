import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endingOf, type ThrowAway } from '#apps/standalone';

const MAIN = fileURLToPath(new URL('eventstore-server/main.js', import.meta.url));

export interface EventStoreProcess {
  readonly child: ChildProcess;
  readonly port: number;
  /** As EVENTSTORE_URL takes it. */
  readonly url: string;
}

/**
 * The test double as a process of its own, with its events in the folder. Port 0 = a free one. With
 * `index_delay_ms` it shows events so long after they are written.
 */
export async function startEventStore(
  kept: ThrowAway,
  { port = 0, index_delay_ms = 0 }: { port?: number; index_delay_ms?: number } = {},
): Promise<EventStoreProcess> {
  const args = [MAIN, '--port', String(port), '--dir', join(kept.folder, 'eventstore')];
  if (index_delay_ms > 0) args.push('--index-delay', String(index_delay_ms));
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  kept.adopt(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const listening = /listening on esdb:\/\/[^:]+:(\d+)/.exec(line);
    if (!listening) continue;
    const taken = Number(listening[1]);
    return { child, port: taken, url: `esdb://127.0.0.1:${taken}?tls=false` };
  }
  throw new Error(`the event store double ended with ${await endingOf(child)}`);
}
