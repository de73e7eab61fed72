import { hash } from 'node:crypto';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createHealth, createLogger, createMetrics, type Scope } from '#libs/platform';
import { BODY_LIMIT, createHttpApp, Public, RequireScope, TenantOfKey } from './index.js';

@RequireScope('usage:write')
@Controller('things')
class ThingsController {
  @Post()
  @HttpCode(200)
  create(@Body() body: object, @TenantOfKey() tenant: string) {
    return { tenant, ...body };
  }

  @Get('read')
  @RequireScope('read')
  read() {
    return {};
  }

  @Get('open')
  @Public()
  open() {
    return {};
  }
}

@Controller('forgotten')
class ForgottenController {
  @Post()
  forgotten() {
    return {};
  }
}

const key = (secret: string, tenant_id: string, scopes: Scope[]) => ({
  sha256: hash('sha256', secret),
  tenant_id,
  scopes,
});
let app: NestFastifyApplication;
beforeAll(async () => {
  const controllers = [ThingsController, ForgottenController];
  app = await createHttpApp({
    modules: [class Things {}].map((module) => ({ module, controllers })),
    api: { title: 'things', description: 'Things', version: '1' },
    keys: [key('writer', 'acme', ['usage:write']), key('reader', 'globex', ['read'])],
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('spec', 'silent', new PassThrough()),
  });
  await app.listen(0, '127.0.0.1');
});
afterAll(() => app.close());

async function call(method: 'GET' | 'HEAD' | 'POST', url: string, secret?: string, payload = '') {
  const response = await app.inject({
    method,
    url,
    headers: {
      'content-type': 'application/json',
      ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
    },
    ...(method === 'POST' && { payload }),
  });
  return response.statusCode;
}

describe('a stranger is refused before its body is looked at', () => {
  it.each([
    ['not JSON', 'nonsense', 400],
    ['too large', `"${'x'.repeat(BODY_LIMIT)}"`, 413],
  ])('%s', async (_what, payload, to_a_caller) => {
    expect(await call('POST', '/things', undefined, payload)).toBe(401);
    expect(await call('POST', '/things', 'unknown', payload)).toBe(401);
    expect(await call('POST', '/things', 'reader', payload)).toBe(403);
    expect(await call('POST', '/things', 'writer', payload)).toBe(to_a_caller);
  });

  it('and before it has been sent', async () => {
    const { port, hostname } = new URL(await app.getUrl());
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${BODY_LIMIT}\r\n\r\n{"a":`,
    );
    const [answer] = await new Promise<Buffer[]>((resolve) =>
      socket.once('data', (data) => resolve([data as Buffer])),
    );
    expect(String(answer)).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
  });
});

describe('the scope of a controller', () => {
  it('is that of each of its routes', async () => {
    expect(await call('POST', '/things', 'writer', '{}')).toBe(200);
    expect(await call('POST', '/things', 'reader', '{}')).toBe(403);
  });

  it('but not of those that say otherwise', async () => {
    expect(await call('GET', '/things/read', 'reader')).toBe(200);
    expect(await call('GET', '/things/read', 'writer')).toBe(403);
    expect(await call('GET', '/things/open')).toBe(200);
  });

  it('is that of HEAD too', async () => {
    expect(await call('HEAD', '/things/read')).toBe(401);
    expect(await call('HEAD', '/things/read', 'reader')).toBe(200);
  });
});

it('a route that forgot to say who may call it is closed to everyone', async () => {
  expect(await call('POST', '/forgotten', undefined, '{}')).toBe(401);
  expect(await call('POST', '/forgotten', 'writer', '{}')).toBe(403);
});
