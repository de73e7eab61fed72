import { hash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createHealth, createLogger, createMetrics, type Scope } from '#libs/platform';
import { z } from 'zod';
import {
  API_KEY,
  BODY_LIMIT,
  createHttpApp,
  Public,
  RequireScope,
  TenantOfKey,
  unavailable,
} from './index.js';

const item = z.strictObject({ name: z.string().min(1), count: z.int().min(1) });
const body = z.strictObject({ request_id: z.string(), items: z.array(item) });
const big = z
  .strictObject({ credits: z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String }) })
  .meta({ id: 'Big', description: 'A big one' });

@ApiBearerAuth(API_KEY)
@Controller('things')
class ThingsController {
  @Post()
  @HttpCode(200)
  @RequireScope('usage:write')
  create(@Body({ schema: body }) thing: z.infer<typeof body>, @TenantOfKey() tenant: string) {
    return { tenant, ...thing };
  }

  @Get('big')
  @RequireScope('read')
  @ApiOkResponse({ description: 'Fine', standardSchema: big })
  big() {
    return { credits: 10n ** 15n };
  }

  @Get('open')
  @Public()
  open() {
    return {};
  }

  @Get('closed')
  closed() {
    return {};
  }

  @Get('broken/:how')
  @Public()
  broken(@Param('how') how: string) {
    if (how === 'busy') throw unavailable('too_many_in_flight', 'later', 3);
    throw new Error('cannot reach postgres://u:hunter2@db');
  }
}

const health = createHealth();
const log = new PassThrough();
const key = (secret: string, tenant_id: string, scopes: Scope[]) => ({
  sha256: hash('sha256', secret),
  tenant_id,
  scopes,
});
let app: NestFastifyApplication;

beforeAll(async () => {
  app = await createHttpApp({
    modules: [class Things {}].map((module) => ({ module, controllers: [ThingsController] })),
    api: { title: 'things', description: 'Things', version: '1' },
    keys: [key('writer', 'acme', ['usage:write']), key('reader', 'globex', ['read'])],
    health,
    metrics: createMetrics(),
    logger: createLogger('spec', 'info', log),
  });
});
afterAll(() => app.close());

interface Call {
  key?: string | undefined;
  type?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

async function call(method: 'GET' | 'POST', url: string, options: Call = {}) {
  const { key: secret, type = 'application/json', body: payload, headers = {} } = options;
  const response = await app.inject({
    method,
    url,
    headers: {
      ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
      ...(payload !== undefined && { 'content-type': type }),
      ...headers,
    },
    ...(payload !== undefined && {
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    }),
  });
  return { status: response.statusCode, headers: response.headers, text: response.body };
}

/** Calls, and expects a problem in exactly the form of RFC 9457. */
async function problem(method: 'GET' | 'POST', url: string, options: Call = {}) {
  const { status, headers, text } = await call(method, url, options);
  expect(headers['content-type']).toBe('application/problem+json');
  const details = JSON.parse(text) as Record<string, unknown>;
  expect(details).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
  expect(details.type).toBe(`urn:usage-ledger:problem:${String(details.code)}`);
  return { ...details, headers } as Record<string, unknown> & { headers: typeof headers };
}

const good = { request_id: 'r1', items: [{ name: 'a', count: 1 }] };
const post = (payload: unknown, options: Call = {}) =>
  problem('POST', '/things', { key: 'writer', body: payload, ...options });

describe('a key', () => {
  it('opens the routes of its scope, for its tenant', async () => {
    const { status, text } = await call('POST', '/things', { key: 'writer', body: good });
    expect({ status, body: JSON.parse(text) }).toEqual({
      status: 200,
      body: { tenant: 'acme', ...good },
    });
  });

  it.each([{}, { authorization: 'Basic d3JpdGVy' }, { authorization: 'Bearer' }])(
    'is required: %j',
    async (headers) => {
      const details = await problem('GET', '/things/big', { headers });
      expect(details).toMatchObject({ status: 401, code: 'unauthorized' });
      expect(details.headers['www-authenticate']).toBe('Bearer');
    },
  );

  it('must be known', async () => {
    expect(await problem('GET', '/things/big', { key: 'writer2' })).toMatchObject({ status: 401 });
  });

  it('must have the scope', async () => {
    expect(await problem('GET', '/things/big', { key: 'writer' })).toMatchObject({
      status: 403,
      code: 'missing_scope',
      scope: 'read',
    });
  });

  it('does not open a route that names no scope', async () => {
    expect(await problem('GET', '/things/closed', { key: 'reader' })).toMatchObject({
      status: 403,
    });
  });

  it('is not needed where the route says so', async () => {
    expect((await call('GET', '/things/open')).status).toBe(200);
  });
});

describe('bad input is told field by field', () => {
  it.each([
    ['a missing field', { items: [] }, 'request_id'],
    ['a wrong one', { ...good, items: [{ name: 'a', count: 1.5 }] }, 'items[0].count'],
    ['an unknown one', { ...good, items: [{ name: 'a', count: 1, x: 1 }] }, 'items[0].x'],
    ['no object', [], ''],
  ])('%s', async (_what, payload, path) => {
    expect(await post(payload)).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path, message: expect.any(String) }],
    });
  });

  it('names every field, and the request when it can', async () => {
    const details = await post({ request_id: 'r1', items: [{ name: '', count: 0 }], y: 1 });
    const paths = (details.errors as { path: string }[]).map(({ path }) => path);
    expect(new Set(paths)).toEqual(new Set(['items[0].name', 'items[0].count', 'y']));
    expect(details.request_id).toBe('r1');
  });

  it('says required for what is missing', async () => {
    expect(await post({ items: [] })).toMatchObject({ detail: 'request_id: is required' });
  });

  it('does not list thousands', async () => {
    const items = Array.from({ length: 1_000 }, () => ({}));
    expect((await post({ request_id: 'r', items })).errors).toHaveLength(50);
  });
});

describe('a body', () => {
  it.each(['{"request_id":', '', '{"__proto__":{"a":1}}'])('that is not JSON: %s', async (text) => {
    expect(await post(text)).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'nonsense'])(
    'of type %s is 415',
    async (type) => {
      expect(await post('a=b', { type })).toMatchObject({
        status: 415,
        code: 'unsupported_media_type',
      });
    },
  );

  it('that is too large is 413', async () => {
    const request_id = 'x'.repeat(BODY_LIMIT);
    expect(await post({ request_id })).toMatchObject({ status: 413, code: 'body_too_large' });
  });
});

describe('what fails otherwise', () => {
  it.each(['/nowhere', '/things/open/further'])('%s is no route', async (url) => {
    expect(await problem('GET', url)).toMatchObject({ status: 404, code: 'no_such_route' });
  });

  it('a URL that cannot be decoded is 400', async () => {
    expect(await problem('GET', '/things/broken/%zz')).toMatchObject({ status: 400 });
  });

  it('a path member that is too long is 414', async () => {
    const details = await problem('GET', `/things/broken/${'x'.repeat(999)}`);
    expect(details).toMatchObject({ status: 414, code: 'uri_too_long' });
  });

  it('a thrown problem keeps its headers', async () => {
    const details = await problem('GET', '/things/broken/busy');
    expect(details).toMatchObject({ status: 503, code: 'too_many_in_flight' });
    expect(details.headers['retry-after']).toBe('3');
  });

  it('F32: an unexpected error is logged, redacted, and not told', async () => {
    log.read();
    const details = await problem('GET', '/things/broken/badly');
    expect(details).toMatchObject({ status: 500, code: 'internal_error' });
    expect(JSON.stringify(details)).not.toContain('postgres');
    const logged = String(log.read());
    expect(logged).toContain('postgres://[redacted]@db');
    expect(logged).not.toContain('hunter2');
  });
});

describe('what every application serves', () => {
  it('health', async () => {
    expect((await call('GET', '/healthz')).status).toBe(200);
    expect((await call('GET', '/readyz')).status).toBe(200);
    const remove = health.add('readiness', 'store', () => 'is away');
    expect(await problem('GET', '/readyz')).toMatchObject({
      status: 503,
      code: 'not_ready',
      detail: 'store: is away',
      checks: { store: 'is away' },
    });
    expect((await call('GET', '/healthz')).status).toBe(200);
    remove();
  });

  it('metrics, by route and not by URL', async () => {
    await call('GET', '/things/broken/account-1');
    const { headers, text } = await call('GET', '/metrics');
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(text).toMatch(/_count\{method="GET",route="\/things\/broken\/:how",status="500"\} \d/);
    expect(text).not.toContain('account-1');
  });

  it('a bigint as a decimal string', async () => {
    const { text } = await call('GET', '/things/big', { key: 'reader' });
    expect(text).toBe('{"credits":"1000000000000000"}');
  });

  it('its description, from the zod schemas', async () => {
    const document = JSON.parse((await call('GET', '/openapi.json')).text);
    expect(document.openapi).toBe('3.1.0');
    const { post: create } = document.paths['/things'];
    expect(create.security).toEqual([{ [API_KEY]: [] }]);
    const schema = create.requestBody.content['application/json'].schema;
    expect(schema.required).toEqual(['request_id', 'items']);
    expect(document.components.schemas.Big).toMatchObject({
      description: 'A big one',
      properties: { credits: { type: 'string' } },
    });
  });

  it('a page of it that loads nothing from elsewhere', async () => {
    const { headers, text } = await call('GET', '/docs');
    expect(headers['content-type']).toContain('text/html');
    const sources = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((found) => found[1]!);
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources) {
      expect(source).toMatch(/^\.\//);
      const asset = await call('GET', new URL(source, 'http://localhost/docs').pathname);
      expect({ source, status: asset.status }).toEqual({ source, status: 200 });
    }
  });
});
