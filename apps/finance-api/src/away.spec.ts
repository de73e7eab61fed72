import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { EventReader, EventStore } from '#libs/event-store';
import { createHttpApp } from '#libs/http';
import { createHealth, createLogger, createMetrics, createPool, runService } from '#libs/platform';
import type pg from 'pg';
import { financeKeys, testFinanceApi } from '../../../test/fixtures/finance-api.js';
import { FinanceApiModule } from './finance-api.module.js';
import { startFinanceApi } from './finance-api.js';
import { readModelsCheck } from './read-models-check.js';

/** A store that was frozen: it takes the question and never answers. */
const frozen = {
  readStream: (_stream: string, { signal }: { signal?: AbortSignal } = {}) => ({
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    }),
  }),
} as unknown as EventReader;

let pool: pg.Pool;
let app: NestFastifyApplication;
beforeAll(async () => {
  pool = createPool('postgres://u:p@127.0.0.1:1/x', { application_name: 't', max_connections: 1 });
  app = await createHttpApp({
    api: { title: 'finance-api', description: 'Under test', version: '0' },
    keys: financeKeys,
    modules: [FinanceApiModule.register({ pool, store: frozen, clock: Date.now })],
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('finance-api', 'silent', new PassThrough()),
  });
});
afterAll(async () => {
  await app.close();
  await pool.end();
});

it.each([
  '/accounts',
  '/accounts/alice/balance',
  '/accounts/alice/balance?as_of=2026-01-01T00:00:00Z',
  '/accounts/alice/balance?at_least=1',
  '/accounts/alice/statement',
  '/accounts/alice/requests/r',
  '/accounts/alice/invoices',
  '/accounts/alice/invoices/2026-01.csv',
  '/usage/summary',
  '/usage/rejections',
  '/grants/rejections',
  '/dead-letters',
])('without Postgres %s says: come again', expectNotReadable);

it.each(['/price-book', '/price-book/requests/r'])(
  'while the event store does not answer %s says: come again',
  expectNotReadable,
  10_000,
);

async function expectNotReadable(path: string) {
  const headers = { authorization: 'Bearer acme' };
  const response = await app.inject({ url: `/v1${path}`, headers });
  const { statusCode, headers: answered } = response;
  expect([statusCode, answered['content-type']]).toEqual([503, 'application/problem+json']);
  expect(answered['retry-after']).toBe('1');
  expect(response.json()).toMatchObject({ code: 'not_readable' });
}

describe('the readiness of the read models', () => {
  it('fails without Postgres', async () => {
    await expect(readModelsCheck(pool)()).rejects.toThrow('ECONNREFUSED');
  });

  it('asks a frozen Postgres once, however often it is asked', () => {
    let questions = 0;
    const query = () => new Promise(() => (questions += 1));
    const check = readModelsCheck({ query } as unknown as pg.Pool);
    for (const asked of [check(), check(), check()]) expect(asked).toBeInstanceOf(Promise);
    expect(questions).toBe(1);
  });

  it('is well otherwise', async () => {
    const api = await testFinanceApi();
    const check = readModelsCheck(api.models.pool);
    expect([await check(), await check()]).toEqual([undefined, undefined]);
    await api.close();
  });
});

it('as a process of its own is not ready without Postgres', async () => {
  const out = new PassThrough();
  const source = new EventEmitter();
  const exits: number[] = [];
  const engines = { query_pool: pool, store: frozen as EventStore };
  await runService('finance-api', (service) => startFinanceApi(service, engines), {
    env: { PORT: '0', LEDGER_DEV_KEY: 'dev' },
    out,
    source,
    exit: (code) => void exits.push(code),
  });
  const [, url] = /"url":"([^"]+)"/.exec(String(out.read()))!;
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([
    503,
    { checks: { running: 'ok', read_models: expect.stringContaining('ECONNREFUSED') } },
  ]);
  source.emit('SIGTERM', 'SIGTERM');
  while (exits.length === 0) await sleep(1);
});
