import db from '@eventstore/db-client';
import * as grpc from '@grpc/grpc-js';

const { EventStoreDBClient } = db;
export type DbClient = InstanceType<typeof EventStoreDBClient>;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Calls of our own on the client's channel: discovery, TLS and the way to the leader are the client's. */
export interface Connection {
  readonly client: DbClient;
  /** A gRPC client on the channel that the client uses now. Rejects when no server is found. */
  open(): Promise<grpc.Client>;
  /** What goes with each call: credentials, "leader only", and no deadline. */
  callArguments(): [grpc.Metadata, grpc.CallOptions];
  /**
   * To be given the error of a call of `on`: the client goes to the leader that it names, or looks
   * for a server again when it means that this one is away. Never rejects.
   */
  failed(on: grpc.Client, error: Error): Promise<void>;
  /** Ends every call. */
  close(): Promise<void>;
}

/**
 * What the client's commands use, protected by its types alone. The version is pinned for it, and
 * connection.spec.ts fails when it is not there.
 */
interface ClientParts {
  getChannel(): Promise<grpc.Channel>;
  callArguments(
    base: { credentials?: Credentials; requiresLeader: boolean },
    options: grpc.CallOptions,
  ): [grpc.Metadata, grpc.CallOptions];
  handleError(on: grpc.Client, error: Error): Promise<void>;
}

/** The server said nothing for this long. As if it were away: the client drops its channel. */
export class Silence extends Error implements grpc.ServiceError {
  readonly code = grpc.status.UNAVAILABLE;
  readonly metadata = new grpc.Metadata();
  readonly details: string;

  constructor(timeout_ms: number) {
    super(`no answer for ${timeout_ms} ms`);
    this.details = this.message;
  }
}

/** What the server calls an error that ended a call. */
export const exceptionIn = (error: unknown): string | undefined =>
  error instanceof Error && 'metadata' in error && error.metadata instanceof grpc.Metadata
    ? error.metadata.get('exception')[0]?.toString()
    : undefined;

/** Throws for a connection string that the client cannot read, without repeating its secrets. */
export function connect(url: string, credentials: Credentials | undefined): Connection {
  const client = parse(withOwnConnection(url));
  const parts = client as unknown as ClientParts;
  const clients = new WeakMap<grpc.Channel, grpc.Client>();
  let channel: grpc.Channel | undefined;
  let closed = false;

  return {
    client,
    async open() {
      if (closed) throw new Error('the event store is closed');
      channel = await parts.getChannel();
      const known = clients.get(channel);
      if (known !== undefined) return known;
      const opened = new grpc.Client('', grpc.credentials.createInsecure(), {
        channelOverride: channel,
      });
      clients.set(channel, opened);
      return opened;
    },
    callArguments: () =>
      parts.callArguments(
        { ...(credentials === undefined ? {} : { credentials }), requiresLeader: true },
        { deadline: Infinity },
      ),
    async failed(on, error) {
      // It rejects when the search for a server that is under way fails: so does the next open().
      await parts.handleError(on, error).catch(() => {});
    },
    async close() {
      closed = true;
      await client.dispose();
      channel?.close();
    },
  };
}

/**
 * grpc-js lets channels with equal settings share a TCP connection, and with it one's backoff and one
 * that died unnoticed, which a reconnecting store would get back from another. An interval of its own
 * keeps each store apart; the client's default is 10 s.
 */
let keepalive_ms = 10_000;

function withOwnConnection(url: string): string {
  if (/[?&]keep_?alive_?interval=/i.test(url)) return url;
  keepalive_ms += 1;
  return `${url}${url.includes('?') ? '&' : '?'}keepAliveInterval=${keepalive_ms}`;
}

/**
 * The settings that the client heeds. Of others, and of tlsVerifyCert, which it ignores, it prints a
 * warning with the whole string, password and all.
 */
const SETTINGS = new Set([
  'connectionname',
  'defaultdeadline',
  'discoveryinterval',
  'gossiptimeout',
  'keepaliveinterval',
  'keepalivetimeout',
  'maxdiscoverattempts',
  'nodepreference',
  'throwonappendfailure',
  'tls',
  'tlscafile',
  'usercertfile',
  'userkeyfile',
]);

function parse(url: string): DbClient {
  const [, query = ''] = url.split('?', 2);
  for (const setting of query.split('&')) {
    const [key = ''] = setting.split('=', 1);
    if (SETTINGS.has(key.toLowerCase().replaceAll(/[_-]/g, ''))) continue;
    throw new Error(`the connection string of the event store has an unknown setting: ${key}`);
  }
  try {
    return EventStoreDBClient.connectionString(url);
  } catch (error) {
    // The message of a ParseError shows pieces of the string, and so may show the password.
    if (error instanceof Error && !('connectionString' in error)) throw error;
    throw new Error('the connection string of the event store cannot be read');
  }
}
