import { once } from 'node:events';
import { maxHeaderSize, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Body, Controller, Get, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createHealth, createLogger, createMetrics } from '#libs/platform';
import { z } from 'zod';
import { createHttpApp, Public } from './index.js';

const thing = z.record(z.string(), z.unknown());
let held = Promise.resolve();

@Public()
@Controller('things')
class ThingsController {
  @Post()
  create(@Body({ schema: thing }) given: object) {
    return given;
  }

  @Get('held')
  async held() {
    await held;
    return {};
  }
}

let logged = '';
const log = new PassThrough();
log.on('data', (line) => (logged += String(line)));
let app: NestFastifyApplication;
let server: Server;
let port: number;

beforeEach(async () => {
  app = await createHttpApp({
    modules: [class Things {}].map((module) => ({ module, controllers: [ThingsController] })),
    api: { title: 'things', description: 'Things', version: '1' },
    keys: [],
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('spec', 'debug', log),
  });
  server = app.getHttpServer() as Server;
});
afterEach(() => app.close());

async function open() {
  if (!server.listening) await app.listen(0, '127.0.0.1');
  ({ port } = server.address() as AddressInfo);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** What stands on the wire after these bytes, until the connection is closed. */
async function exchange(...bytes: (string | Buffer)[]) {
  const socket = await open();
  for (const some of bytes) socket.write(some);
  return text(socket);
}

/** Expects one answer, which is a problem and the last on its connection. */
async function problem(...bytes: (string | Buffer)[]) {
  const [head = '', body = ''] = (await exchange(...bytes)).split('\r\n\r\n');
  const [start, ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.split(': ')[1]]),
  );
  expect(headers).toMatchObject({
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    date: expect.stringContaining('GMT'),
  });
  const details = JSON.parse(body) as Record<string, unknown>;
  expect(start).toBe(`HTTP/1.1 ${String(details.status)} ${String(details.title)}`);
  expect(details.type).toBe(`urn:usage-ledger:problem:${String(details.code)}`);
  return details;
}

const HOST = 'Host: a\r\n';
const POST = `POST /things HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`;
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const long = 'x'.repeat(20_000);

describe('what violates HTTP itself is a problem, too', () => {
  it.each<[string, string, number, string]>([
    [
      'a long header',
      `GET /healthz HTTP/1.1\r\n${HOST}X: ${long}\r\n\r\n`,
      431,
      `${maxHeaderSize}`,
    ],
    ['a long query', `GET /healthz?x=${long} HTTP/1.1\r\n${HOST}\r\n`, 431, `${maxHeaderSize}`],
    ['no method', `FOO / HTTP/1.1\r\n${HOST}\r\n`, 400, 'Invalid method'],
    ['no size of a chunk', `${CHUNKED}zz\r\n`, 400, 'chunk size'],
    ['chunk extensions', `${CHUNKED}1;${long}\r\n`, 413, 'extensions'],
    ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'Host'],
    ['no host and no route', 'GET /x HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'Host'],
    ['an expectation', `${POST}Content-Length: 2\r\nExpect: x\r\n\r\n`, 417, 'Expect: x'],
  ])('%s', async (_what, bytes, status, words) => {
    expect(await problem(bytes)).toMatchObject({
      status,
      code: 'refused',
      detail: expect.stringContaining(words),
    });
  });

  it('but not HTTP/1.0 without a host, or 100-continue', async () => {
    expect(await exchange('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK/);
    const expecting = `${POST}Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    expect(await exchange(expecting, '{}')).toMatch(/^HTTP\/1\.1 100 [^]*HTTP\/1\.1 201 /);
  });

  it('answers nothing that would be taken for the answer to an earlier request', async () => {
    let go = () => {};
    held = new Promise((done) => (go = done));
    const socket = await open();
    const asked = once(server, 'request');
    socket.write(`GET /things/held HTTP/1.1\r\n${HOST}\r\n`);
    await asked;
    socket.write('FOO\r\n\r\n');
    expect(await text(socket)).toBe('');
    go();
  });
});

describe('a caller must have sent its request within 30 s', () => {
  it('headers and all, and it is looked every second', () => {
    expect(server).toMatchObject({
      requestTimeout: 30_000,
      headersTimeout: 30_000,
      connectionsCheckingInterval: 1_000,
    });
  });

  it.each([
    ['its headers', `GET /healthz HTTP/1.1\r\n${HOST}`],
    ['its body', `${POST}Content-Length: 9\r\n\r\n{`],
  ])('too late with %s: 408', async (_what, bytes) => {
    Object.assign(server, { requestTimeout: 20, headersTimeout: 20 });
    const detail = 'the whole request must arrive within 30 s';
    expect(await problem(bytes)).toMatchObject({ status: 408, code: 'refused', detail });
  });
});

it('a caller that goes away while it sends is no failure here', async () => {
  logged = '';
  const socket = await open();
  const asked = once(server, 'request');
  socket.write(`${POST}Content-Length: 9\r\n\r\n{`);
  await asked;
  socket.resetAndDestroy();
  while (!logged.includes('a request was refused')) await once(log, 'data');
  expect(logged).toContain('"level":"debug"');
  expect(logged).not.toContain('"level":"error"');
});
