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

export const createClient = (connection: KafkaConnection, first?: string): kafkajs.Kafka =>
  new kafkajs.Kafka(clientConfig(connection, first));

/** `first` is the broker to begin with. */
export function clientConfig(connection: KafkaConnection, first?: string): KafkaConfig {
  const { on_log, sasl, tls, socket_factory, request_timeout_ms = REQUEST_TIMEOUT_MS } = connection;
  const config: KafkaConfig = {
    brokers: seedsOf(connection.brokers, first),
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
    newest.set(`${options.host}:${options.port}`, { socket, began_at: performance.now() });
    return socket;
  };
  return config;
}

/** The last connection that this process has begun to each broker. */
const newest = new Map<string, { readonly socket: Socket; readonly began_at: number }>();
/** Long enough for an answer. */
const SILENT_MS = 1_000;

function isSilent(broker: string): boolean {
  const last = newest.get(broker);
  return last?.socket.bytesRead === 0 && performance.now() > last.began_at + SILENT_MS;
}

/** At random at first, so that a restart does not meet the same one again; those that were silent last. */
function inTurn(brokers: readonly string[], next = Math.floor(Math.random() * brokers.length)) {
  const in_turn = [...brokers.slice(next), ...brokers.slice(0, next)];
  return in_turn.toSorted((a, b) => Number(isSilent(a)) - Number(isSilent(b)));
}

/** kafkajs begins with the first broker that it is given. So whoever begins again is given another one. */
function seedsOf(brokers: readonly string[], first?: string): () => string[] {
  let seed: string | undefined;
  return () => {
    if (seed === undefined) seed = first ?? inTurn(brokers)[0]!;
    else seed = inTurn(brokers, (brokers.indexOf(seed) + 1) % brokers.length)[0]!;
    return [seed];
  };
}

/** Begins with each of the brokers in turn, until one will do. */
export async function reach<T>(
  connection: KafkaConnection,
  begin: (client: kafkajs.Kafka) => Promise<T>,
): Promise<T> {
  const { brokers } = connection;
  let failure: unknown;
  for (const first of inTurn(brokers)) {
    try {
      return await begin(createClient(connection, first));
    } catch (error) {
      if (fatalCause(error) !== undefined) throw error;
      failure = error;
    }
  }
  const { name, message } = failure as Error;
  const tried = new Error(`${message} (tried ${brokers.join(', ')})`, { cause: failure });
  throw Object.assign(tried, { name });
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
