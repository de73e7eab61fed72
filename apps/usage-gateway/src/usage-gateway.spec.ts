import { EventEmitter, once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { runService } from '#libs/platform';
import { startMemoryLedger } from '../../../test/memory-ledger.js';
import { startUsageGateway } from './usage-gateway.js';

it('serves as a process of its own until it is stopped', async () => {
  const ledger = await startMemoryLedger();
  const out = new PassThrough();
  const source = new EventEmitter();
  const exits: number[] = [];
  await runService('usage-gateway', (service) => startUsageGateway(service, ledger.bus), {
    env: { PORT: '0', LEDGER_DEV_KEY: 'dev' },
    out,
    source,
    exit: (code) => void exits.push(code),
  });
  const [, url] = /"url":"([^"]+)"/.exec(String(out.read()))!;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const headers = { authorization: 'Bearer dev', 'content-type': 'application/json' };
  const body = JSON.stringify({ request_id: 'g1', credits: 1, kind: 'pack' });
  const grant = { method: 'POST', headers, body };
  expect((await fetch(`${url}/v1/accounts/a/grants`, grant)).status).toBe(200);

  source.emit('SIGTERM', 'SIGTERM');
  while (exits.length === 0) await sleep(1);
  expect(exits).toEqual([0]);
  await expect(fetch(`${url}/readyz`)).rejects.toThrow('fetch failed');
  await ledger.close();
});

it('says in one line that its port is in use', async () => {
  const ledger = await startMemoryLedger();
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const out = new PassThrough();
  const exits: number[] = [];
  await runService('usage-gateway', (service) => startUsageGateway(service, ledger.bus), {
    env: { PORT: String((other.address() as AddressInfo).port) },
    out,
    source: new EventEmitter(),
    exit: (code) => void exits.push(code),
  });
  const lines = String(out.read()).split('\n');
  const about_it = lines.filter((line) => /in use|EADDRINUSE/.test(line));
  expect(about_it).toEqual([expect.stringContaining('set PORT to a free one')]);
  expect(exits).toEqual([1]);
  other.close();
  await ledger.close();
});
