import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { devApiKey, type ApiKey } from './api-keys.js';
import { parseKeys } from './key-list.js';
import {
  given,
  kafkaSecurityFaults,
  kafkaSecurityOf,
  kafkaSecurityShape,
  type KafkaSecurity,
} from './kafka-security.js';
import { Secret } from './secret.js';

/** Of the message bus; fixed for life. */
export const PARTITION_COUNTS = [16, 32, 64] as const;

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type MessageBusEngine =
  | { readonly kind: 'embedded' }
  | ({
      readonly kind: 'kafka';
      readonly brokers: readonly string[];
      /** A member of a group that the broker has not heard of for so long loses its partitions. */
      readonly session_timeout_ms: number;
    } & KafkaSecurity);
type EventStoreEngine =
  { readonly kind: 'embedded' } | { readonly kind: 'eventstoredb'; readonly url: Secret };
type PostgresEngine =
  { readonly kind: 'embedded' } | { readonly kind: 'external'; readonly url: Secret };

/** All that a process takes from its environment, frozen. */
export interface Configuration {
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  /** Absolute path; holds the embedded engine's data. */
  readonly data_dir: string;
  readonly log_level: LogLevel;
  readonly message_bus: MessageBusEngine;
  /** Partitions of the message bus: what its topics were made with. */
  readonly partitions: (typeof PARTITION_COUNTS)[number];
  readonly event_store: EventStoreEngine;
  readonly postgres: PostgresEngine;
  /** Those of API_KEYS and, when it is set, LEDGER_DEV_KEY. */
  readonly api_keys: readonly ApiKey[];
  readonly dev_key: Secret | undefined;
}

/** Names every variable that cannot be used. Quotes no value that may be a secret. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  constructor(readonly faults: readonly string[]) {
    super(`the configuration cannot be used:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  }
}

const embedded = z.literal('embedded').transform(() => ({ kind: 'embedded' as const }));

const urlOf = (schemes: readonly string[]) =>
  given
    .refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol), {
      error: `must be the word embedded or a URL that begins with ${schemes.join('// or ')}//`,
    })
    .transform((text) => new Secret(text));

const BROKER = /^(?:kafka:\/\/)?((?:[\w.-]+|\[[\da-fA-F:]+\]):\d{1,5})$/;
const brokers = given
  .transform((text) => text.split(',').map((broker) => broker.trim()))
  .refine((list) => list.every((broker) => BROKER.test(broker)), {
    error: 'must be the word embedded or host:port, several separated by commas',
  })
  .transform((list) => list.map((broker) => BROKER.exec(broker)![1]!));

/** A broker has limits of its own, and refuses what lies outside: 6 s to 30 min by default. */
const SESSION_TIMEOUT_MS = { default: 20_000, least: 1_000, most: 30 * 60_000 };
const session_timeout = given
  .refine((text) => /^\d{1,9}$/.test(text) && isSessionTimeout(Number(text)), {
    error: `must be ${SESSION_TIMEOUT_MS.least} to ${SESSION_TIMEOUT_MS.most} milliseconds`,
  })
  .transform(Number)
  .default(SESSION_TIMEOUT_MS.default);

const isSessionTimeout = (ms: number): boolean =>
  ms >= SESSION_TIMEOUT_MS.least && ms <= SESSION_TIMEOUT_MS.most;

/** Picks by the word, so that a bad URL is refused for what is wrong with the URL. */
function engine<T extends z.ZodType>(external: T) {
  return z.string().transform((text, context) => {
    const result = (text.trim() === 'embedded' ? embedded : external).safeParse(text.trim());
    if (result.success) return result.data as z.output<T> | { kind: 'embedded' };
    context.addIssue({ code: 'custom', message: result.error.issues[0]!.message });
    return z.NEVER;
  });
}

const ENGINES = {
  KAFKA_BROKERS: engine(brokers.transform((list) => ({ kind: 'kafka' as const, brokers: list }))),
  EVENTSTORE_URL: engine(
    urlOf(['esdb:', 'esdb+discover:']).transform((url) => ({ kind: 'eventstoredb' as const, url })),
  ),
  POSTGRES_URL: engine(
    urlOf(['postgres:', 'postgresql:']).transform((url) => ({ kind: 'external' as const, url })),
  ),
};
const ENGINE_NAMES = Object.keys(ENGINES) as (keyof typeof ENGINES)[];
const EMBEDDED = { kind: 'embedded' as const };

const environment = (read: (path: string) => string) =>
  z.object({
    HOST: given.default('127.0.0.1'),
    PORT: given
      .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, {
        error: 'must be a port number from 0 to 65535',
      })
      .transform(Number)
      .default(8080),
    DATA_DIR: given
      .default('./.data')
      .transform((path) => resolve(path))
      .refine(mayBeDirectory, 'is not a directory'),
    LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
    LEDGER_DEV_KEY: given
      .refine((key) => /^[\x21-\x7e]+$/.test(key), 'must be printable ASCII without spaces')
      .transform((key) => new Secret(key))
      .optional(),
    API_KEYS: given.transform((text, context) => parseKeys(text, read, context)).optional(),
    KAFKA_BROKERS: ENGINES.KAFKA_BROKERS.default(EMBEDDED),
    KAFKA_SESSION_TIMEOUT_MS: session_timeout,
    ...kafkaSecurityShape(read),
    PARTITIONS: z
      .enum(PARTITION_COUNTS.map(String), `must be one of ${PARTITION_COUNTS.join(', ')}`)
      .transform((text) => Number(text) as (typeof PARTITION_COUNTS)[number])
      .default(16),
    EVENTSTORE_URL: ENGINES.EVENTSTORE_URL.default(EMBEDDED),
    POSTGRES_URL: ENGINES.POSTGRES_URL.default(EMBEDDED),
  });

type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigurationRules {
  /** Without any variable of an engine there is none, instead of the embedded ones. */
  readonly name_engines?: boolean;
}

/**
 * Reads the environment once. Throws ConfigurationError, which names every variable at fault.
 * `read` gives the text of the file that API_KEYS may point to.
 */
export function parseConfiguration(
  env: Environment = process.env,
  read = (path: string) => readFileSync(path, 'utf8'),
  { name_engines = false }: ConfigurationRules = {},
): Configuration {
  const parsed = environment(read).safeParse(env);
  const faults = [
    ...(parsed.error?.issues ?? []).map((issue) => `${nameOf(issue.path)} ${issue.message}`),
    ...forgottenEngines(env, name_engines),
    ...kafkaSecurityFaults(env),
    ...openToAnyone(env),
  ];
  if (!parsed.success || faults.length > 0) throw new ConfigurationError(faults);
  const { LEDGER_DEV_KEY: dev_key, API_KEYS: listed = [], ...data } = parsed.data;
  return deepFreeze({
    host: data.HOST,
    port: data.PORT,
    data_dir: data.DATA_DIR,
    log_level: data.LOG_LEVEL,
    message_bus:
      data.KAFKA_BROKERS.kind === 'kafka'
        ? {
            ...data.KAFKA_BROKERS,
            session_timeout_ms: data.KAFKA_SESSION_TIMEOUT_MS,
            ...kafkaSecurityOf(data),
          }
        : data.KAFKA_BROKERS,
    partitions: data.PARTITIONS,
    event_store: data.EVENTSTORE_URL,
    postgres: data.POSTGRES_URL,
    api_keys: [...listed, ...(dev_key ? [devApiKey(dev_key.reveal())] : [])],
    dev_key,
  });
}

const nameOf = ([variable, ...rest]: readonly PropertyKey[]): string =>
  rest.length === 0 ? String(variable) : `${String(variable)} (at ${rest.join('.')})`;

/** A mistyped or forgotten variable, or file of them, must not move a ledger to a local disk. */
function forgottenEngines(env: Environment, name_engines: boolean): string[] {
  const forgotten = ENGINE_NAMES.filter((name) => env[name] === undefined);
  if (forgotten.length === 0) return [];
  if (forgotten.length === ENGINE_NAMES.length) {
    const all = ENGINE_NAMES.join(', ').replace(/,(?=[^,]*$)/, ' and');
    return name_engines
      ? [`${all} are not set: each a URL (Kafka: host:port,…) or the word embedded`]
      : [];
  }
  const set = ENGINE_NAMES.filter((name) => env[name] !== undefined);
  const others = `${set.join(' and ')} ${set.length === 1 ? 'is' : 'are'}`;
  return forgotten.map((name) => `${name} is not set although ${others}: give a URL or embedded`);
}

function openToAnyone(env: Environment): string[] {
  const { HOST: host, API_KEYS: keys, LEDGER_DEV_KEY: dev_key } = env;
  if (host === undefined || isLoopback(host.trim())) return [];
  if (dev_key !== undefined && dev_key.trim().length < LEAST_KEY_LENGTH) {
    const least = `${LEAST_KEY_LENGTH} characters`;
    return [`LEDGER_DEV_KEY needs at least ${least} because HOST is not a loopback address`];
  }
  if (keys !== undefined || dev_key !== undefined) return [];
  return ['HOST is not a loopback address: set API_KEYS (or LEDGER_DEV_KEY) first'];
}

/** Of a key that strangers may try to guess. */
const LEAST_KEY_LENGTH = 16;

/** It is made when it is missing. */
function mayBeDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOTDIR';
  }
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
