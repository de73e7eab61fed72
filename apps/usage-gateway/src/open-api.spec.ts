import { startGateway, type Gateway } from '../../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../../test/memory-ledger.js';

interface Described {
  summary?: string;
  security?: unknown;
  requestBody?: { content: Record<string, { schema: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}

let ledger: MemoryLedger;
let gateway: Gateway;
let document: {
  paths: Record<string, { post?: Described; get?: Described }>;
  components: { schemas: Record<string, { example?: unknown }> };
};
beforeAll(async () => {
  ledger = await startMemoryLedger();
  gateway = await startGateway({ bus: ledger.bus });
  document = (await gateway.call('/openapi.json')).body as unknown as typeof document;
});
afterAll(async () => {
  await gateway.app.close();
  await ledger.close();
});

const WRITES = {
  '/v1/usage': [200, 202, 400, 401, 402, 403, 409, 413, 415, 422, 500, 503],
  '/v1/usage/batch': [200, 202, 400, 401, 403, 413, 415, 500, 503],
  '/v1/events': [200, 202, 207, 400, 401, 402, 403, 409, 413, 415, 422, 500, 503],
  '/v1/accounts/{account_id}/grants': [200, 202, 400, 401, 403, 409, 413, 414, 415, 422, 500, 503],
  '/v1/price-book': [200, 202, 400, 401, 403, 409, 413, 415, 422, 500, 503],
};

describe.each(Object.entries(WRITES))('POST %s', (path, statuses) => {
  it('describes every answer, errors as problem details', () => {
    const { responses } = document.paths[path]!.post!;
    expect(Object.keys(responses).map(Number)).toEqual(statuses);
    for (const [status, { description, content }] of Object.entries(responses)) {
      const type = Number(status) < 400 ? 'application/json' : 'application/problem+json';
      expect({ status, types: Object.keys(content ?? {}) }).toEqual({ status, types: [type] });
      expect(description).not.toBe('');
    }
  });

  it('says what it does, what it takes and which key it needs', () => {
    const { summary, security, requestBody } = document.paths[path]!.post!;
    expect(summary).toBeTruthy();
    expect(security).toEqual([{ api_key: [] }]);
    expect(JSON.stringify(requestBody)).toContain('"$ref":"#/components/schemas/');
  });
});

it('describes that a batch of events says what was done of Prefer', () => {
  const { responses } = document.paths['/v1/events']!.post!;
  expect(responses[207]).toMatchObject({ headers: { 'Preference-Applied': expect.any(Object) } });
});

it('describes what machines watch', () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    expect(document.paths[path]?.get?.summary).toBeTruthy();
  }
});

it('has every schema that it refers to, with examples for bodies and answers', () => {
  const { schemas } = document.components;
  const referred = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  for (const [, name] of referred) expect(Object.keys(schemas)).toContain(name);
  for (const name of ['Usage', 'Grant', 'PriceBookPublication', 'UsageEvent', 'Decision']) {
    const { example } = schemas[name]!;
    expect({ name, example }).toEqual({ name, example: expect.any(Object) });
  }
});
