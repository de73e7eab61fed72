import { ConfigurationError, parseConfiguration } from './configuration.js';

const DISTRIBUTED = {
  KAFKA_BROKERS: 'kafka:9092',
  EVENTSTORE_URL: 'esdb://store:2113',
  POSTGRES_URL: 'postgres://db/ledger',
};
const parse = (env: Record<string, string>) =>
  parseConfiguration({ ...DISTRIBUTED, ...env }, (path) => {
    if (path === 'ca.pem') return 'a certificate';
    throw new Error('no such file');
  });

const faultsOf = (env: Record<string, string>): readonly string[] => {
  try {
    parse(env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
  }
  return [];
};

it('takes TLS and a login', () => {
  const { message_bus } = parse({
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA: 'ca.pem',
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: 'writer',
    KAFKA_SASL_PASSWORD: 'hidden',
  });
  expect(message_bus).toMatchObject({
    kind: 'kafka',
    tls: { ca: 'a certificate' },
    sasl: { mechanism: 'scram-sha-512', username: 'writer' },
  });
  expect(JSON.stringify(message_bus)).not.toContain('hidden');
});

it('is open without them', () => {
  const { message_bus } = parse({});
  expect(message_bus).not.toHaveProperty('tls');
  expect(message_bus).not.toHaveProperty('sasl');
});

it.each([
  [{ KAFKA_SASL_USERNAME: 'writer' }, 'KAFKA_SASL_PASSWORD'],
  [{ KAFKA_TLS_CA: 'ca.pem' }, 'KAFKA_TLS'],
  [{ KAFKA_TLS: 'true', KAFKA_TLS_CA: 'gone.pem' }, 'KAFKA_TLS_CA'],
  [{ KAFKA_TLS: 'yes' }, 'KAFKA_TLS'],
  [{ KAFKA_SASL_MECHANISM: 'md5' }, 'KAFKA_SASL_MECHANISM'],
  [{ PARTITIONS: '12' }, 'PARTITIONS'],
])('refuses %j and names %s', (env, name) => {
  expect(faultsOf(env).join('\n')).toContain(name);
});
