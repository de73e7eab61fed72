import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfiguration } from './configuration.js';
import { createHealth } from './health.js';
import { createLogger } from './logger.js';
import { createMetrics } from './metrics.js';
import { serveHealth } from './serve-health.js';
import { createShutdown } from './shutdown.js';

const logger = createLogger('test', 'info', new PassThrough().resume());
const health = createHealth();
const metrics = createMetrics();
const shutdown = createShutdown({ logger });
let url: string;

beforeAll(async () => {
  const configuration = parseConfiguration({ PORT: '0' });
  const bound = await serveHealth({ configuration, health, metrics, logger, shutdown });
  url = `http://127.0.0.1:${new URL(bound).port}`;
});
afterAll(() => shutdown.run('the tests are done'));

const get = async (path: string, method = 'GET') => {
  const response = await fetch(url + path, { method });
  const type = response.headers.get('content-type');
  return { status: response.status, type, text: await response.text() };
};

describe('a worker', () => {
  it('tells that it is well', async () => {
    for (const path of ['/healthz', '/readyz', '/readyz?verbose']) {
      const { status, type, text } = await get(path);
      expect({ status, type }).toEqual({ status: 200, type: 'application/json; charset=utf-8' });
      expect(JSON.parse(text)).toMatchObject({ status: 'ok' });
    }
  });

  it('tells what fails as problem details', async () => {
    const remove = health.add('readiness', 'store', () => 'is away');
    const { status, type, text } = await get('/readyz');
    expect({ status, type }).toEqual({ status: 503, type: 'application/problem+json' });
    expect(JSON.parse(text)).toEqual({
      type: 'urn:usage-ledger:problem:not_ready',
      title: 'Service Unavailable',
      status: 503,
      code: 'not_ready',
      detail: 'store: is away',
      checks: { store: 'is away' },
    });
    expect((await get('/healthz')).status).toBe(200);
    remove();
    expect((await get('/readyz')).status).toBe(200);
  });

  it('tells its metrics as Prometheus reads them', async () => {
    const remove = health.add('readiness', 'worker', () => {
      metrics.lag.set({ worker: 'w' }, 7);
      return 'is stuck';
    });
    const { status, type, text } = await get('/metrics');
    expect({ status, type }).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
    });
    expect(text).toContain('ledger_lag{worker="w"} 7'); // measured by the check, for this scrape
    remove();
  });

  it('serves nothing else', async () => {
    expect(await get('/docs')).toMatchObject({ status: 404, type: 'application/problem+json' });
    expect(await get('/readyz', 'POST')).toMatchObject({ status: 404 });
  });

  it('says so when it cannot tell', async () => {
    const broken = { registry: { metrics: () => Promise.reject(new Error('no')) } };
    const configuration = parseConfiguration({ PORT: '0' });
    const served = { configuration, health, logger, shutdown, metrics: broken };
    const bound = await serveHealth(served as unknown as Parameters<typeof serveHealth>[0]);
    const response = await fetch(`http://127.0.0.1:${new URL(bound).port}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'internal_error' });
  });
});

it('ends although a connection never sends a request, or half of one', async () => {
  const ending = createShutdown({ logger });
  const configuration = parseConfiguration({ PORT: '0' });
  const bound = await serveHealth({ configuration, health, metrics, logger, shutdown: ending });
  const port = Number(new URL(bound).port);
  const connections = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(connections.map((connection) => once(connection, 'connect')));
  connections[1]!.write('GET /healthz HTTP/1.1\r\nHost:');
  await sleep(50);
  const closed = connections.map((connection) => once(connection.resume(), 'close'));
  expect(await ending.run('the test is done')).toBe(0);
  await Promise.all(closed);
}, 5_000);
