import { PassThrough } from 'node:stream';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createHttpApp } from '#libs/http';
import { createHealth, createLogger, createMetrics } from '#libs/platform';
import { FinanceApiModule } from './finance-api.module.js';
import type { FinancePorts } from './ports.js';

interface Answer {
  readonly headers?: object;
  readonly content: Readonly<Record<string, { readonly schema: object }>>;
}
interface Described {
  readonly description?: string;
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
  readonly responses: Readonly<Record<string, Answer>>;
}

let app: NestFastifyApplication;
let document: {
  readonly paths: Readonly<Record<string, { readonly get: Described }>>;
  readonly info: object;
  readonly components: {
    readonly securitySchemes: object;
    readonly schemas: Readonly<Record<string, { readonly properties: Record<string, object> }>>;
  };
};
beforeAll(async () => {
  app = await createHttpApp({
    modules: [FinanceApiModule.register({ clock: Date.now } as FinancePorts)],
    api: { title: 'finance-api', description: 'Under test', version: '0' },
    keys: [],
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('finance-api', 'silent', new PassThrough()),
  });
  document = (await app.inject('/openapi.json')).json();
});
afterAll(() => app.close());

const ANY = [200, 400, 401, 403, 500, 503];
const OF_ACCOUNT = [200, 400, 401, 403, 404, 414, 500, 503];
const OF_ONE_OR_ALL = OF_ACCOUNT.filter((status) => status !== 414);
const READS = {
  '/v1/accounts': ANY,
  '/v1/accounts/{account_id}/balance': OF_ACCOUNT,
  '/v1/accounts/{account_id}/statement': OF_ACCOUNT,
  '/v1/accounts/{account_id}/requests/{request_id}': OF_ACCOUNT,
  '/v1/accounts/{account_id}/invoices': OF_ACCOUNT,
  '/v1/accounts/{account_id}/invoices/{period}': OF_ACCOUNT,
  '/v1/usage/summary': OF_ONE_OR_ALL,
  '/v1/usage/rejections': OF_ONE_OR_ALL,
  '/v1/grants/rejections': OF_ONE_OR_ALL,
  '/v1/price-book': OF_ONE_OR_ALL,
  '/v1/price-book/requests/{request_id}': OF_ACCOUNT,
  '/v1/dead-letters': ANY,
};

it.each(Object.entries(READS))('GET %s describes the answers that it has', (path, statuses) => {
  const { responses } = document.paths[path]!.get;
  expect(Object.keys(responses).map(Number)).toEqual(statuses);
  for (const [status, { content }] of Object.entries(responses)) {
    const type = Number(status) < 400 ? 'application/json' : 'application/problem+json';
    expect({ status, type: Object.keys(content)[0] }).toEqual({ status, type });
  }
  const headers = Object.entries(responses).flatMap(([status, answer]) =>
    Object.keys(answer.headers ?? {}).map((name) => `${status} ${name}`),
  );
  expect(headers).toEqual(['401 WWW-Authenticate', '503 Retry-After']);
});

it('has one content type for each error', () => {
  const { responses } = document.paths['/v1/accounts/{account_id}/invoices/{period}']!.get;
  const errors = Object.entries(responses).filter(([status]) => Number(status) >= 400);
  expect(errors.map(([, { content }]) => Object.keys(content))).toEqual(
    errors.map(() => ['application/problem+json']),
  );
});

it('describes CSV and metrics as text', () => {
  const { responses } = document.paths['/v1/accounts/{account_id}/invoices/{period}']!.get;
  expect(responses[200]!.content).toEqual({
    'application/json': { schema: { $ref: '#/components/schemas/Invoice' } },
    'text/csv': { schema: { type: 'string' } },
  });
  expect(document.paths['/metrics']!.get.responses[200]!.content).toEqual({
    'text/plain; version=0.0.4; charset=utf-8': { schema: { type: 'string' } },
  });
});

it('tells its limits', () => {
  const { parameters } = document.paths['/v1/accounts']!.get;
  const limit = parameters!.find(({ name }) => name === 'limit');
  expect(limit!.description).toContain('1 to 500');
  expect(document.paths['/v1/usage/summary']!.get.description).toContain('10000 rows');
});

it('says of a balance as of a time how sure it is, and what makes it sure', () => {
  const { parameters } = document.paths['/v1/accounts/{account_id}/balance']!.get;
  const as_of = parameters!.find(({ name }) => name === 'as_of');
  expect(as_of!.description).toMatch(/yet to come.*`projected_up_to`.*`at_least`/);
  expect(document.components.schemas.Balance!.properties.projected_up_to).toMatchObject({
    description: expect.stringContaining('may still change'),
  });
});

it('says of the key what it is, and nothing of what nobody has named', () => {
  const { securitySchemes } = document.components;
  expect(securitySchemes).toEqual({
    api_key: { type: 'http', scheme: 'bearer', description: expect.any(String) },
  });
  expect(document).not.toHaveProperty('servers');
  expect(document.info).not.toHaveProperty('contact');
});
