import type { Socket } from 'node:net';
import kafkajs, {
  type Admin,
  type Cluster,
  type ISocketFactory,
  type KafkaConfig,
  type SASLOptions,
} from 'kafkajs';
import kafkajsSockets from 'kafkajs/src/network/socketFactory.js';
import type { KafkaSecurity } from '#libs/platform';
import './client-patches.js';
import { fatalCause } from './errors.js';

export interface KafkaConnection extends KafkaSecurity {
  /** `host:port` each; one that answers is enough to find the others. */
  readonly brokers: readonly string[];
  /** Shown in the broker's logs and metrics; one per process. */
  readonly client_id: string;
  /** What the client says of its connections, at warning and above. */
  readonly on_log?: (level: 'warn' | 'error', message: string, fields: object) => void;
  /** How sockets are opened; for tests that cut them. */
  readonly socket_factory?: ISocketFactory;
  /** For tests that cannot wait for REQUEST_TIMEOUT_MS. */
  readonly request_timeout_ms?: number;
}

export const REQUEST_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** How long added partitions can go unnoticed. */
export const METADATA_MAX_AGE_MS = 60_000;

/** Said in full, since NODE_ENV=test changes the defaults (client hazard 8). */
export const RETRY = {
  initialRetryTime: 100,
  maxRetryTime: 2_000,
  factor: 0.2,
  multiplier: 2,
  retries: 5,
};

export const createClient = (connection: KafkaConnection): kafkajs.Kafka =>
  new kafkajs.Kafka(clientConfig(connection));

export function clientConfig(connection: KafkaConnection): KafkaConfig {
  const { on_log, sasl, tls, socket_factory, request_timeout_ms = REQUEST_TIMEOUT_MS } = connection;
  const config: KafkaConfig = {
    brokers: seedsOf(connection.brokers),
    clientId: connection.client_id,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: request_timeout_ms,
    enforceRequestTimeout: true,
    retry: RETRY,
    logLevel: on_log ? kafkajs.logLevel.WARN : kafkajs.logLevel.NOTHING,
    logCreator:
      () =>
      ({ level, log: { message, timestamp: _timestamp, logger: _logger, ...fields } }) =>
        on_log?.(level === kafkajs.logLevel.WARN ? 'warn' : 'error', message, fields),
  };
  if (tls !== undefined) config.ssl = typeof tls === 'boolean' ? tls : { ca: tls.ca };
  if (sasl !== undefined)
    config.sasl = { ...sasl, password: sasl.password.reveal() } as SASLOptions;
  const open = socket_factory ?? kafkajsSockets();
  // kafkajs unrefs its socket with every disconnect. On one that never connected each leaves a listener,
  // and Node warns of a leak that is none: the socket goes with the next attempt.
  config.socketFactory = (options) => {
    const socket = open(options).setMaxListeners(0);
    const broker = `${options.host}:${options.port}`;
    newest.delete(broker); // or it would keep its place
    newest.set(broker, socket);
    return socket;
  };
  return config;
}

/** The last connection that this process has begun to each broker, in the order in which they began. */
const newest = new Map<string, Socket>();
const isSilent = (broker: string) => newest.get(broker)?.bytesRead === 0;
const longestAgo = (brokers: readonly string[]) =>
  [...newest.keys()].find((broker) => brokers.includes(broker))!;

/**
 * kafkajs begins with the first broker that it is given, and stays there when that takes connections but
 * answers nothing. So whoever begins, or begins again, is given another, and one that was silent last
 * only when all were: then the one that was tried longest ago, since kafkajs also takes a seed that it does
 * not use. At random at first: a restart should not meet the same one again.
 */
function seedsOf(brokers: readonly string[]): () => string[] {
  let next = Math.floor(Math.random() * brokers.length);
  return () => {
    const in_turn = [...brokers.slice(next), ...brokers.slice(0, next)];
    const seed = in_turn.find((broker) => !isSilent(broker)) ?? longestAgo(brokers);
    next = (brokers.indexOf(seed) + 1) % brokers.length;
    return [seed];
  };
}

/** Begins again, each time with another broker, as often as there are brokers. */
export async function reach<T>(
  connection: KafkaConnection,
  begin: (client: kafkajs.Kafka) => Promise<T>,
): Promise<T> {
  const { brokers } = connection;
  const client = createClient(connection); // one for all attempts: it gives each another broker
  for (let attempt = 1; ; attempt++) {
    try {
      return await begin(client);
    } catch (error) {
      if (fatalCause(error) !== undefined) throw error;
      if (attempt < brokers.length) continue;
      const { name, message } = error as Error;
      const tried = new Error(`${message} (tried ${brokers.join(', ')})`, { cause: error });
      throw Object.assign(tried, { name });
    }
  }
}

export async function withAdmin<T>(
  connection: KafkaConnection,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = await reach(connection, async (client) => {
    const begun = client.admin({ retry: RETRY });
    try {
      await begun.connect();
    } catch (error) {
      await begun.disconnect();
      throw error;
    }
    return begun;
  });
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * A view of the cluster with connections of its own. kafkajs gives it to partition assigners; through
 * it a request goes to one named broker, and its whole answer comes back.
 */
export function clusterOf(client: kafkajs.Kafka): Cluster {
  let found: Cluster | undefined;
  client.consumer({
    groupId: 'never-joined',
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    retry: RETRY,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster;
        return { name: 'none', version: 0, assign: async () => [], protocol: () => NO_PROTOCOL };
      },
    ],
  });
  if (found === undefined) throw new Error('kafkajs is not 2.2.4: an assigner gets no cluster');
  return found;
}

const NO_PROTOCOL = { name: 'none', metadata: Buffer.alloc(0) };
