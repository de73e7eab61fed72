import { fastify } from 'fastify';
import { takeJsonOnly } from './json-body.js';
import { Problem } from './problem.js';

const app = fastify();
takeJsonOnly(app);
app.post('/', ({ body }) => body);
app.setErrorHandler((error: Error, _request, reply) => {
  if (!(error instanceof Problem)) return reply.status(400).send({ message: error.message });
  return reply.status(error.details.status).headers(error.headers).send(error.details);
});
afterAll(() => app.close());

describe('a body', () => {
  const send = (payload: string | Buffer, headers: object = {}) =>
    app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/json', ...headers },
      payload,
    });

  it('must be UTF-8', async () => {
    const bytes = Buffer.from('{"name":"caf\u00e9"}', 'latin1');
    for (const type of ['application/json', 'application/cloudevents+json']) {
      const response = await send(bytes, { 'content-type': type });
      expect(response.json()).toMatchObject({
        status: 400,
        code: 'invalid_request',
        errors: [{ path: '', message: 'must be UTF-8' }],
      });
    }
    const kept = { name: 'caf\u00e9 \ufffd \u{1f600}' };
    expect((await send(JSON.stringify(kept))).json()).toEqual(kept);
    expect((await send(`\ufeff${JSON.stringify(kept)}`)).json()).toEqual(kept);
  });

  it('must not be compressed', async () => {
    const response = await send('\u001f\u008b', { 'content-encoding': 'gzip' });
    expect(response.headers['accept-encoding']).toBe('identity');
    expect(response.json()).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
      detail: expect.stringContaining('gzip'),
    });
    expect((await send('{}', { 'content-encoding': 'identity' })).statusCode).toBe(200);
  });

  it.each([
    ['{"__proto__":1}', '__proto__'],
    ['{"a":[0,{"b c":{"\\u005f_proto__":{}}}]}', 'a[1]["b c"].__proto__'],
    ['{"a":{"constructor":{"prototype":1}}}', 'a.constructor.prototype'],
    [
      `${'['.repeat(50_000)}{"__proto__":1}${']'.repeat(50_000)}`,
      expect.stringMatching(/__proto__$/),
    ],
  ])('holds no key that reaches a prototype: %#', async (payload, path) => {
    expect((await send(payload)).json()).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path, message: 'must not be used as a key' }],
    });
  });

  it('that is no JSON is told so', async () => {
    expect((await send('{"__proto__":')).json().message).toContain('not valid JSON');
    expect((await send('')).json().message).toContain('cannot be empty');
  });
});
