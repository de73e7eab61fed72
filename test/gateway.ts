import { hash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { UsageGatewayModule, type GatewayLimits } from '#apps/usage-gateway';
import { createHttpApp } from '#libs/http';
import type { MessageBus } from '#libs/message-bus';
import { createHealth, createLogger, createMetrics, devApiKey, type Clock } from '#libs/platform';

export interface GatewayUnderTest {
  readonly bus: MessageBus;
  readonly clock?: Clock;
  readonly limits?: GatewayLimits;
}

/** A gateway on this bus, with the keys `dev` (everything) and `reader` (read only). */
export async function startGateway({ bus, ...options }: GatewayUnderTest) {
  const log = new PassThrough();
  const ports = {
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('usage-gateway', 'info', log),
  };
  const app = await createHttpApp({
    ...ports,
    modules: [UsageGatewayModule.register({ ...ports, ...options, bus })],
    api: { title: 'usage-gateway', description: 'Under test', version: '0' },
    keys: [
      devApiKey('dev'),
      { sha256: hash('sha256', 'reader'), tenant_id: 'dev', scopes: ['read'] },
      { sha256: hash('sha256', 'other'), tenant_id: 'other', scopes: ['usage:write'] },
    ],
  });

  interface Call {
    readonly method?: 'GET' | 'POST';
    readonly key?: string;
    readonly headers?: Readonly<Record<string, string>>;
  }

  /** The answer with its body parsed; problem details are checked to be in their form. */
  async function call(url: string, body?: unknown, { method, key, headers }: Call = {}) {
    const response = await app.inject({
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      url,
      headers: {
        authorization: `Bearer ${key ?? 'dev'}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && {
        payload: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    });
    const { statusCode: status } = response;
    if (status >= 400) {
      expect(response.headers['content-type']).toBe('application/problem+json');
      expect(response.json()).toMatchObject({ status, code: expect.any(String) });
    }
    return { status, headers: response.headers, body: response.json<Record<string, unknown>>() };
  }
  return { app, call, log, ports };
}

export type Gateway = Awaited<ReturnType<typeof startGateway>>;
