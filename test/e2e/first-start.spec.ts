import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { callLedger, startLedgerProcess } from '#apps/standalone';
import { eventually } from './asking.js';
import { startSystem, type StandaloneSystem } from './system.js';

const run = promisify(execFile);

/** Says how long something took; a busy machine is slow, not wrong, so nothing is asserted. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  const seconds = (performance.now() - began) / 1_000;
  process.stdout.write(`${what}: ${seconds.toFixed(1)} s\n`);
  return result;
}

/** Runs lines as somebody who pastes them, and parses what the calls of curl print. */
async function paste(lines: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await run('bash', ['-c', lines]);
  const objects = stdout.trim().replaceAll(/\}\s*\{/g, '}\n{');
  return objects.split('\n').map((text) => JSON.parse(text) as Record<string, unknown>);
}

let system: StandaloneSystem;
let greeting: string;
beforeAll(async () => {
  system = await timed('the first start is ready after', () =>
    startSystem('embedded', { LEDGER_DEV_KEY: undefined }),
  );
});
afterAll(() => system?.end());

const devKey = (): string => /LEDGER_DEV_KEY=(\S+)/.exec(greeting)![1]!;

it('the first start greets with the URL, a development key and lines to paste', async () => {
  // It follows the line of the log that says ready.
  greeting = await eventually('the greeting is there', async () => {
    const printed = system.log.filter((line) => !line.startsWith('{')).join('\n');
    return printed.includes('requests/img-1') && printed;
  });
  expect(greeting).toContain(`usage-ledger is ready on ${system.url}`);
  const { url } = system;
  const call = { method: 'GET', path: '/v1/accounts' } as const;
  expect((await callLedger({ url, key: devKey() }, call)).status).toBe(200);
  expect((await callLedger({ url, key: 'another' }, call)).status).toBe(401);
});

it("the greeting's lines work when they are pasted", async () => {
  const [, lines] = greeting.split('Try it in another terminal:');
  expect(await paste(lines!)).toMatchObject([
    { outcome: 'granted', credits: '50' },
    { outcome: 'consumed', credits: '20' },
    { code: 'insufficient_credits', price: '100', shortfall: '70' },
    { available: '30', revision: 2 },
    { request_id: 'img-1', decision: { credits: '20' } },
  ]);
});

it("README's lines work when they are pasted", async () => {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/```bash\n([\s\S]*?)```/g)].map(([, block]) => block!);
  const lines = blocks.filter((block) => block.includes('curl ')).join('\n');
  const here = lines
    .replaceAll('http://127.0.0.1:8080', system.url)
    .replaceAll('Bearer dev', `Bearer ${devKey()}`)
    .replaceAll('acct-1', 'acct-readme');
  expect(await paste(here)).toMatchObject([
    { outcome: 'granted', credits: '50' },
    { outcome: 'consumed', credits: '20' },
    { available: '30', revision: 1 },
    { request_id: 'img-1', decision: { credits: '20' } },
  ]);
});

it('the API description is there for whoever opens it', async () => {
  const page = await fetch(`${system.url}/docs`);
  expect([page.status, page.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('text/html'),
  ]);
  const description = await fetch(`${system.url}/openapi.json`);
  expect(await description.json()).toMatchObject({ openapi: expect.stringMatching(/^3\./) });
});

it('a second ledger on the same data is refused, and the first goes on', async () => {
  const second = startLedgerProcess({ env: { ...system.env, PORT: '0' }, on_spawn: () => {} });
  await expect(second).rejects.toThrow(/in use by another process/);
  expect((await fetch(`${system.url}/readyz`)).status).toBe(200);
});

it('a bad variable is named, and nothing starts', async () => {
  const main = fileURLToPath(new URL('../../apps/standalone/src/main.js', import.meta.url));
  const env = { PATH: process.env['PATH'], PORT: 'http', KAFKA_BROKERS: 'localhost:9092' };
  await expect(run(process.execPath, [main], { env })).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/PORT must be[\s\S]*EVENTSTORE_URL is not set/),
  });
});

it('a later start is ready with the same key, and greets no more', async () => {
  expect(await system.stop()).toBe(0);
  const printed = system.log.length;
  await timed('a later start is ready after', () => system.start());
  const { url } = system;
  const path = '/v1/accounts/acct-1/balance';
  const { body } = await callLedger({ url, key: devKey() }, { method: 'GET', path });
  expect(body).toMatchObject({ available: '30' });
  expect(system.log.slice(printed).filter((line) => !line.startsWith('{'))).toEqual([]);
});
