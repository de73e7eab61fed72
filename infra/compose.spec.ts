import { existsSync, readFileSync } from 'node:fs';
import { load, YAML11_SCHEMA } from 'js-yaml';
import { parseConfiguration } from '#libs/platform';
import { RIGHTS } from './kafka-rights/access.js';

const root = new URL('../../', import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: object;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly restart: string;
  readonly healthcheck?: { readonly disable?: boolean };
  readonly depends_on?:
    readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
}

const compose = load(text('infra/compose.yaml'), { schema: YAML11_SCHEMA }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);
const APPS = ['usage-gateway', 'ledger-writer', 'projector', 'finance-api'];

const secretsNamed = (source: string) =>
  new Set([...source.matchAll(/\$\{(\w+_SECRET):\?/g)].map(([, name]) => name));

it('has every app, every engine, all jobs, and what watches them', () => {
  expect(Object.keys(compose.services)).toEqual(
    expect.arrayContaining([
      ...APPS,
      'kafka',
      'eventstore',
      'postgres',
      'topics',
      'kafka-rights',
      'eventstore-acl',
      'prometheus',
      'grafana',
    ]),
  );
});

it('pins every image to a version', () => {
  const tags = services.map(([, { image }]) => image.split(':').slice(1).join(':'));
  for (const tag of tags) expect(tag).toMatch(/\d+\.\d+/);
  expect(text('infra/Dockerfile')).toMatch(/^ARG NODE=node:24\.\d+\.\d+-\w+-slim$/m);
});

it('runs the Kafka that the tests run on', () => {
  const [, tested] = /<version>(\d+\.\d+\.\d+)<\/version>/.exec(text('infra/kafka/pom.xml'))!;
  expect(compose.services['kafka']!.image).toBe(`apache/kafka:${tested}`);
});

it('publishes ports on loopback only', () => {
  for (const port of services.flatMap(([, { ports = [] }]) => ports))
    expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

it('lets each process restart and be watched, except jobs and tools', () => {
  const running = services.filter(([, { restart }]) => restart === 'unless-stopped');
  expect(running.map(([name]) => name)).toEqual(expect.arrayContaining(APPS));
  for (const [name, { healthcheck }] of running) {
    expect([name, healthcheck === undefined || healthcheck.disable === true]).toEqual([
      name,
      false,
    ]);
  }
});

it('starts an app only when topics, rights and databases are there', () => {
  for (const app of ['ledger-writer', 'projector', 'finance-api']) {
    expect(compose.services[app]!.depends_on).toEqual({
      'kafka-rights': { condition: 'service_completed_successfully' },
      'eventstore-acl': { condition: 'service_completed_successfully' },
      postgres: { condition: 'service_healthy' },
    });
  }
});

it('mounts only what is in the repository or what secrets.sh makes, and every named volume', () => {
  const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map((one) => one.split(':')));
  const made = text('infra/secrets.sh');
  const isThere = (source: string) =>
    source.startsWith('./')
      ? made.includes(source.slice(2)) || existsSync(new URL(source, new URL('infra/', root)))
      : source in compose.volumes;
  expect(mounts.length).toBeGreaterThan(20);
  expect(mounts.filter(([source = '']) => !isThere(source))).toEqual([]);
  const writable = mounts.filter(
    ([source = '', , mode]) => source.startsWith('./') && mode !== 'ro',
  );
  expect(writable).toEqual([]);
});

it('names every secret that the example names, and no other', () => {
  const example = text('infra/.env.example').match(/^\w+_SECRET(?==$)/gm);
  expect(secretsNamed(text('infra/compose.yaml'))).toEqual(new Set(example));
});

it.each(ours)('%s runs a program that is copied into the image', (_name, service) => {
  const program = [...(service.entrypoint ?? []), ...(service.command ?? [])].find((word) =>
    word.endsWith('.js'),
  )!;
  expect(existsSync(new URL(program, root))).toBe(true);
  const copied = [...text('infra/Dockerfile').matchAll(/^COPY --from=build .* (\S+)$/gm)];
  expect(copied.some(([, path = '']) => `${program}/`.startsWith(`${path}/`))).toBe(true);
});

it.each(APPS)('starts %s as npm does', (app) => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  const { command = [] } = compose.services[app]!;
  expect(`node --enable-source-maps ${command.join(' ')}`).toBe(scripts[`start:${app}`]);
  expect(text('infra/Dockerfile')).toContain('ENTRYPOINT ["node", "--enable-source-maps"]');
});

describe.each(ours.filter(([name]) => name !== 'eventstore-acl'))('%s', (name, service) => {
  const { environment = {} } = service;

  it('has a configuration that can be used', () => {
    const filled = Object.entries(environment).map(([key, value]) => [key, fill(value)]);
    const configuration = parseConfiguration(Object.fromEntries(filled), read);
    expect(configuration.message_bus).toMatchObject({ kind: 'kafka', tls: { ca: 'PEM' } });
    expect(configuration.api_keys).toHaveLength(APPS.includes(name) ? 1 : 0);
  });

  it('is a user that the broker knows, with its own secret', () => {
    const user = environment['KAFKA_SASL_USERNAME']!;
    const broker = text('infra/kafka-broker/server.properties');
    const variable = new RegExp(`user_${user}="\\$\\{env:(\\w+)\\}"`).exec(broker)![1]!;
    const atBroker = compose.services['kafka']!.environment![variable]!;
    expect(variableIn(atBroker)).toBe(variableIn(environment['KAFKA_SASL_PASSWORD']!));
  });
});

it('gives every user of the broker its rights, and rights to nobody else', () => {
  const broker = text('infra/kafka-broker/server.properties');
  const users = [...broker.matchAll(/user_([\w-]+)=/g)].map(([, user]) => user);
  expect(new Set(users)).toEqual(new Set(['admin', ...RIGHTS.map(({ user }) => user)]));
});

const fill = (value: string) =>
  value.replaceAll(/\$\{\w+:\?[^}]*\}/g, 'secret').replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

const variableIn = (value: string) => /^\$\{(\w+):/.exec(value)![1];

/** What the files hold that secrets.sh makes. */
function read(path: string): string {
  if (!path.endsWith('.json')) return 'PEM';
  const keys = text('infra/secrets.sh').match(/\[\n[\s\S]*?\n\]/)![0];
  return keys.replace('$sha256', 'a'.repeat(64)).replace('$tenant', 'main');
}
