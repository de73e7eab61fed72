import { hash } from 'node:crypto';
import { ConfigurationError, isLoopback, parseConfiguration } from './configuration.js';

const sha256 = 'a'.repeat(64);
const keys = JSON.stringify([{ sha256, tenant_id: 'acme', scopes: ['usage:write', 'read'] }]);

/** The faults that an environment is refused with. */
function faultsOf(env: Record<string, string>, read?: (path: string) => string): string[] {
  try {
    parseConfiguration(env, read);
  } catch (error) {
    if (error instanceof ConfigurationError) return [...error.faults];
    throw error;
  }
  return [];
}

describe('an empty environment', () => {
  const configuration = parseConfiguration({});

  it('is the embedded engine on loopback', () => {
    expect(configuration).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      log_level: 'info',
      message_bus: { kind: 'embedded' },
      event_store: { kind: 'embedded' },
      postgres: { kind: 'embedded' },
      api_keys: [],
      dev_key: undefined,
    });
    expect(configuration.data_dir).toMatch(/\.data$/);
  });

  it('gives a frozen object', () => {
    expect(Object.isFrozen(configuration)).toBe(true);
    expect(Object.isFrozen(configuration.message_bus)).toBe(true);
    expect(Object.isFrozen(configuration.api_keys)).toBe(true);
  });
});

describe('the engines', () => {
  const distributed = {
    KAFKA_BROKERS: 'a:9092, kafka://b:9093',
    EVENTSTORE_URL: 'esdb://admin:pw@store:2113?tls=false',
    POSTGRES_URL: 'postgres://ledger:pw@db/ledger',
  };

  it('are taken from their URLs', () => {
    const configuration = parseConfiguration(distributed);
    expect(configuration.message_bus).toEqual({
      kind: 'kafka',
      brokers: ['a:9092', 'b:9093'],
      session_timeout_ms: 20_000,
    });
    const { event_store, postgres } = configuration;
    expect(event_store.kind === 'eventstoredb' && event_store.url.reveal()).toContain('pw@store');
    expect(postgres.kind === 'external' && postgres.url.reveal()).toContain('pw@db');
  });

  it('a session with the brokers may be shorter', () => {
    const configuration = parseConfiguration({ ...distributed, KAFKA_SESSION_TIMEOUT_MS: '3000' });
    expect(configuration.message_bus).toMatchObject({ session_timeout_ms: 3_000 });
  });

  it('may be embedded, said on purpose', () => {
    const configuration = parseConfiguration({ ...distributed, KAFKA_BROKERS: 'embedded' });
    expect(configuration.message_bus.kind).toBe('embedded');
    expect(configuration.postgres.kind).toBe('external');
  });

  it('must be named, all three, by a process of many', () => {
    const rules = { name_engines: true };
    expect(() => parseConfiguration({}, undefined, rules)).toThrow(
      'KAFKA_BROKERS, EVENTSTORE_URL and POSTGRES_URL are not set: each a URL (Kafka: host:port,…) or the word embedded',
    );
    const on_purpose = Object.fromEntries(
      Object.keys(distributed).map((name) => [name, 'embedded']),
    );
    const configuration = parseConfiguration(on_purpose, undefined, rules);
    expect(configuration.message_bus.kind).toBe('embedded');
  });

  it.each(Object.keys(distributed))('a forgotten %s is named', (name) => {
    const env: Record<string, string> = { ...distributed };
    delete env[name];
    expect(faultsOf(env)).toEqual([expect.stringContaining(`${name} is not set although`)]);
  });

  it('a single one names both others', () => {
    expect(faultsOf({ POSTGRES_URL: 'embedded' })).toHaveLength(2);
  });

  it.each([
    ['KAFKA_BROKERS', 'broker'],
    ['KAFKA_BROKERS', 'a:9092,,b:9092'],
    ['EVENTSTORE_URL', 'http://store:2113'],
    ['POSTGRES_URL', 'embeded'],
    ['POSTGRES_URL', ''],
    ['POSTGRES_URL', 'mysql://db/x'],
    ['KAFKA_SESSION_TIMEOUT_MS', '999'],
    ['KAFKA_SESSION_TIMEOUT_MS', '1800001'],
    ['KAFKA_SESSION_TIMEOUT_MS', '3s'],
  ])('%s=%s is refused', (name, value) => {
    expect(faultsOf({ ...distributed, [name]: value })).toEqual([expect.stringContaining(name)]);
  });
});

describe('the caller keys', () => {
  it('come as a JSON list', () => {
    expect(parseConfiguration({ API_KEYS: keys }).api_keys).toEqual(JSON.parse(keys));
  });

  it('come from a file', () => {
    const read = (path: string) => (path === '/etc/keys.json' ? keys : '');
    const { api_keys } = parseConfiguration({ API_KEYS: '/etc/keys.json' }, read);
    expect(api_keys).toHaveLength(1);
  });

  it('include the development key, hashed', () => {
    const { api_keys, dev_key } = parseConfiguration({ LEDGER_DEV_KEY: 'hunter2' });
    expect(dev_key?.reveal()).toBe('hunter2');
    expect(api_keys[0]).toMatchObject({ sha256: hash('sha256', 'hunter2'), tenant_id: 'dev' });
  });

  it.each([
    ['an unknown scope', JSON.stringify([{ sha256, tenant_id: 'a', scopes: ['usage:rite'] }])],
    ['a short hash', JSON.stringify([{ sha256: 'ab', tenant_id: 'a', scopes: ['read'] }])],
    ['a slash in a tenant', JSON.stringify([{ sha256, tenant_id: 'a/b', scopes: ['read'] }])],
    ['an unknown field', JSON.stringify([{ sha256, tenant_id: 'a', scopes: ['read'], key: 'k' }])],
    ['a hash twice', JSON.stringify([...JSON.parse(keys), ...JSON.parse(keys)])],
  ])('%s is refused', (_what, value) => {
    expect(faultsOf({ API_KEYS: value })).toEqual([expect.stringContaining('API_KEYS')]);
  });

  it.each([
    ['/nowhere/keys.json', 'no such file: /nowhere/keys.json'],
    ['s3cretKey', 'no such file: (a JSON list begins with [)'],
    ['/', 'cannot read the file / (EISDIR)'],
    ['[bad', 'not JSON'],
    ['[]', 'needs at least one key'],
    ['[7]', '(at 0) must be an object'],
  ])('%s is refused: %s', (value, words) => {
    expect(faultsOf({ API_KEYS: value })).toEqual([`API_KEYS ${words}`]);
  });

  it('of a file are refused in the same words', () => {
    const of = (text: string) => faultsOf({ API_KEYS: '/etc/keys.json' }, () => text);
    expect([of('{'), of('{}')]).toEqual([['API_KEYS not JSON'], ['API_KEYS must be a list']]);
  });

  it('a short development key opens loopback alone', () => {
    expect(faultsOf({ LEDGER_DEV_KEY: 'dev' })).toEqual([]);
    expect(faultsOf({ HOST: '0.0.0.0', LEDGER_DEV_KEY: 'k'.repeat(15), API_KEYS: keys })).toEqual([
      'LEDGER_DEV_KEY needs at least 16 characters because HOST is not a loopback address',
    ]);
  });

  it('must be there before anything but loopback is served', () => {
    expect(faultsOf({ HOST: '0.0.0.0' })).toEqual([expect.stringContaining('HOST')]);
    expect(faultsOf({ HOST: '0.0.0.0', API_KEYS: keys })).toEqual([]);
    expect(faultsOf({ HOST: '0.0.0.0', LEDGER_DEV_KEY: 'k'.repeat(16) })).toEqual([]);
    expect(['127.0.0.1', '127.1.2.3', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '127.evil.com', '10.0.0.1', ''].some(isLoopback)).toBe(false);
  });
});

describe('a refusal', () => {
  const env = {
    PORT: '80800',
    LOG_LEVEL: 'loud',
    HOST: '0.0.0.0',
    DATA_DIR: ' ',
    KAFKA_BROKERS: 'x',
    POSTGRES_URL: 'mysql://u:hunter2@db',
  };

  it('names every bad variable at once', () => {
    const faults = faultsOf(env);
    for (const name of ['PORT', 'LOG_LEVEL', 'HOST', 'DATA_DIR', 'EVENTSTORE_URL', 'KAFKA']) {
      expect(faults.filter((fault) => fault.startsWith(name))).toHaveLength(1);
    }
    expect(faults).toHaveLength(7);
  });

  it.each(['/dev/null', '/dev/null/data'])('DATA_DIR=%s', (DATA_DIR) => {
    expect(faultsOf({ DATA_DIR })).toEqual(['DATA_DIR is not a directory']);
  });

  it('F32: quotes no value', () => {
    const bad = { ...env, API_KEYS: '[{"key":"hunter2"' };
    expect(faultsOf(bad).join('\n')).not.toContain('hunter2');
  });

  it.each(['-1', '1.5', '65536', '0x50', 'http'])('PORT=%s', (PORT) => {
    expect(faultsOf({ PORT })).toEqual([expect.stringContaining('PORT must be a port')]);
  });

  it('F32: a usable configuration prints no secret either', () => {
    const printed = JSON.stringify(
      parseConfiguration({
        LEDGER_DEV_KEY: 'hunter2',
        KAFKA_BROKERS: 'embedded',
        EVENTSTORE_URL: 'esdb://admin:hunter2@store:2113',
        POSTGRES_URL: 'postgres://u:hunter2@db',
      }),
    );
    expect(printed).not.toContain('hunter2');
  });
});
