import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GENESIS, type StreamHead } from '#libs/contracts';
import * as streams from '../contract/streams.js';
import type { AppendResult, RecordedEvent, StreamAppend } from '../port.js';
import { eventStoreDb, type EventStoreDb } from './event-store-db.js';

const MAIN = fileURLToPath(new URL('../../../../test/eventstore-server/main.js', import.meta.url));

let dir: string;
let server: ChildProcess | undefined;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'eventstore-'))));
afterEach(async () => {
  await killServer();
  rmSync(dir, { recursive: true });
});

async function startServer(port: string): Promise<string> {
  server = spawn(process.execPath, [MAIN, '--port', port, '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(server.stdout!)) {
    const found = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  throw new Error('the server ended before it listened');
}

async function killServer(): Promise<void> {
  const dying = server;
  server = undefined;
  if (dying === undefined || dying.exitCode !== null) return;
  dying.kill('SIGKILL');
  await once(dying, 'exit');
}

/** Appends to its own stream until told to stop, each append until its outcome is known. */
async function write(store: EventStoreDb, stream: string, isOver: () => boolean) {
  let head: StreamHead = GENESIS;
  let unknowns = 0;
  for (let round = 0; !isOver(); round += 1) {
    const events = streams.notes(`round ${round}`, 1 + (round % 3), head);
    const append: StreamAppend = { stream, expected_revision: head.revision, events };
    let result: AppendResult;
    for (;;) {
      [result] = (await store.appendMany([append])) as [AppendResult];
      if (result.kind !== 'unknown') break;
      unknowns += 1;
      await sleep(10);
    }
    head = streams.headAfter(events, head);
    expect(result).toEqual(streams.appended(head.revision));
  }
  return { head, unknowns };
}

it('F13 the server is killed and started again under load: nothing is lost, nothing doubled', async () => {
  const port = await startServer('0');
  const store = eventStoreDb({
    url: `esdb://127.0.0.1:${port}?tls=false`,
    append_timeout_ms: 1000,
  });
  const prefix = streams.freshPrefix();
  let over = false;
  const writers = Array.from({ length: 20 }, (_, n) => write(store, `${prefix}${n}`, () => over));

  const ending = new AbortController();
  const followed: RecordedEvent[] = [];
  const range = { prefix, after: null, batch_size: 100, signal: ending.signal };
  const following = (async () => {
    for await (const batch of store.subscribe(range)) followed.push(...batch);
  })();

  for (let round = 0; round < 5; round += 1) {
    await sleep(300);
    await killServer();
    await startServer(port);
  }
  await sleep(300);
  over = true;
  const outcomes = await Promise.all(writers);

  const events = await streams.collect(store.readAll(range));
  const heads = streams.followAll(events);
  for (const [n, { head }] of outcomes.entries()) {
    expect(heads.get(`${prefix}${n}`)).toEqual(head);
  }
  expect(outcomes.reduce((sum, { unknowns }) => sum + unknowns, 0)).toBeGreaterThan(0);
  expect(store.append_counts.drops).toBeGreaterThanOrEqual(5);
  while (followed.length < events.length) await sleep(20);
  ending.abort();
  await following;
  expect(followed).toEqual(events);
  await store.close();
}, 60_000);

it('F9 the server is frozen under load and thaws: what it writes later is written once', async () => {
  const port = await startServer('0');
  const store = eventStoreDb({ url: `esdb://127.0.0.1:${port}?tls=false`, append_timeout_ms: 500 });
  const prefix = streams.freshPrefix();
  let over = false;
  const writers = Array.from({ length: 20 }, (_, n) => write(store, `${prefix}${n}`, () => over));
  for (let round = 0; round < 3; round += 1) {
    await sleep(200);
    server!.kill('SIGSTOP');
    await sleep(700);
    server!.kill('SIGCONT');
  }
  await sleep(200);
  over = true;
  const outcomes = await Promise.all(writers);
  const range = { prefix, after: null, batch_size: 1000 };
  const heads = streams.followAll(await streams.collect(store.readAll(range)));
  expect([...heads.values()].sort(byChain)).toEqual(outcomes.map(({ head }) => head).sort(byChain));
  expect(outcomes.every(({ unknowns }) => unknowns > 0)).toBe(true);
  await store.close();
}, 60_000);

const byChain = (a: StreamHead, b: StreamHead) => a.chain.localeCompare(b.chain);

it('a process that closes its store ends by itself', async () => {
  const port = await startServer('0');
  const module = fileURLToPath(new URL('./event-store-db.js', import.meta.url));
  const code = `
    const { eventStoreDb } = await import(${JSON.stringify(module)});
    const store = eventStoreDb({ url: 'esdb://127.0.0.1:${port}?tls=false' });
    const [result] = await store.appendMany([{ stream: 'a', expected_revision: -1, events: [
      { event_id: '0f0e0d0c-0b0a-8908-8706-050403020100', type: 'T', data: '{}', meta: '{}' } ] }]);
    const ending = new AbortController();
    const pages = store.subscribe({ prefix: 'a', after: null, batch_size: 1, signal: ending.signal });
    for await (const page of pages) break;
    console.log(result.kind);
    await store.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()));
  const [exit] = (await once(child, 'exit')) as [number | null];
  expect({ exit, printed }).toEqual({ exit: 0, printed: 'appended\n' });
}, 20_000);
