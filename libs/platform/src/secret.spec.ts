import { inspect } from 'node:util';
import { describeError, redact, Secret } from './secret.js';

describe('a secret', () => {
  const secret = new Secret('hunter2');

  it('is revealed only on request', () => {
    expect(secret.reveal()).toBe('hunter2');
    const printed = [JSON.stringify({ secret }), inspect({ secret }), String(secret)];
    for (const text of printed) expect(text).not.toContain('hunter2');
  });
});

describe('F32: redaction', () => {
  it.each([
    ['postgres://ledger:hunter2@db:5432/x', 'postgres://[redacted]@db:5432/x'],
    ['esdb+discover://admin:hunter2@a:2113', 'esdb+discover://[redacted]@a:2113'],
    ['postgres://u:p@hunter2@db/x', 'postgres://[redacted]@db/x'],
    ['Authorization: Bearer hunter2.abc', 'Authorization: Bearer [redacted]'],
    ['{"password":"hunter2","host":"db"}', '{"password":"[redacted]","host":"db"}'],
    ['{"msg":"{\\"password\\":\\"hunter2\\"}"}', '{"msg":"{\\"password\\":\\"[redacted]\\"}"}'],
    ['host=db password=hunter2 port=1', 'host=db password=[redacted] port=1'],
    ["{ api_key: 'hunter2' }", "{ api_key: '[redacted]' }"],
  ])('%s', (text, redacted) => expect(redact(text)).toBe(redacted));

  it.each([
    'http://127.0.0.1:8080/v1/usage',
    'user@example.com sent request a:b@c',
    'llm.input_tokens: 3',
    '{"tokens":5,"url":"http://h/p?q=a@b"}',
    '{"api_key_id":"key-7"}',
  ])('leaves alone: %s', (text) => expect(redact(text)).toBe(text));

  it('holds for whatever was thrown', () => {
    expect(describeError(new Error('cannot reach postgres://a:b@c/d'))).not.toContain('a:b');
    expect(describeError('password=hunter2')).not.toContain('hunter2');
  });
});
