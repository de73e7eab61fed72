import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { boundUrl, CannotStart, listeningOn } from './listening.js';
import { serveHealth } from './serve-health.js';
import { runService } from './service.js';

let server: Server;
beforeEach(() => {
  server = createServer();
});
afterEach(() => void server.close());

const listen = (host: string, port = 0) =>
  listeningOn({ host, port }, (address) => once(server.listen(address), 'listening'));

it.each([
  ['127.0.0.1', /^http:\/\/127\.0\.0\.1:\d+$/],
  ['0.0.0.0', /^http:\/\/0\.0\.0\.0:\d+$/],
])('tells what was bound: %s', async (host, url) => {
  await listen(host);
  expect(boundUrl(server)).toMatch(url);
});

it.each([
  ['EADDRINUSE', 'port 80 on here is in use: set PORT to a free one'],
  ['EACCES', 'port 80 on here is not allowed to this user: set PORT to one above 1023'],
  ['EADDRNOTAVAIL', 'port 80 on here is no address of this machine: set HOST to one that is'],
])('%s tells which variable to set', async (code, message) => {
  const refused = listeningOn({ host: 'here', port: 80 }, () =>
    Promise.reject(Object.assign(new Error('listen'), { code })),
  );
  await expect(refused).rejects.toMatchObject({ name: CannotStart.name, message });
});

it('a port in use ends a process with one line about it, and no stack', async () => {
  await listen('127.0.0.1');
  const { port } = server.address() as AddressInfo;
  const out = new PassThrough();
  const exits: number[] = [];
  await runService('spec', async (service) => void (await serveHealth(service)), {
    env: { PORT: String(port) },
    out,
    source: new EventEmitter(),
    exit: (code) => void exits.push(code),
  });
  const lines = String(out.read()).split('\n');
  expect(lines.filter((line) => line.includes('is in use: set PORT'))).toHaveLength(1);
  expect(lines.join()).not.toContain('stack');
  expect(exits).toEqual([1]);
});
