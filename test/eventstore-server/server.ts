import { createServer, type AddressInfo, type Socket } from 'node:net';
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import gossipService from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import * as grpc from '@grpc/grpc-js';
import { DEFAULT_USERS, type Users } from './access.js';
import { append } from './append.js';
import { batchAppend } from './batch-append.js';
import { clusterInfo, supportedMethods, type Member } from './cluster.js';
import type { ServerContext } from './context.js';
import { softDelete, tombstone } from './delete.js';
import { newFaults, type Faults } from './faults.js';
import { likeKestrel } from './kestrel.js';
import { read } from './read.js';
import { openStore } from './store.js';

export interface EventStoreServerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Where the events lie, to outlive the process; without it they are kept in memory only. */
  readonly dir?: string;
  /** How long events are durable before reads show them and appends are answered; by default no time. */
  readonly index_delay_ms?: number;
  /** PEM texts. With it the server wants user names and passwords; without it, it is insecure. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly users?: Users;
  /** Whom gossip names as leader; the server itself by default. */
  readonly leader?: Member;
}

export interface EventStoreServer {
  /** A connection string, without user and password. */
  readonly url: string;
  readonly port: number;
  readonly faults: Faults;
  /** Breaks every connection. */
  dropConnections(): void;
  /** Ends as a process that is told to. */
  stop(): Promise<void>;
  /** Ends as a process that is killed: nothing that is under way is finished or answered. */
  kill(): Promise<void>;
}

const HOST = '127.0.0.1';

/**
 * A test double of EventStoreDB 23.10: the same answers on the wire, as far as the transcript of a real
 * server goes. Never a database to keep data in.
 */
export async function startEventStoreServer(
  options: EventStoreServerOptions = {},
): Promise<EventStoreServer> {
  const store = openStore(options.dir, options.index_delay_ms);
  const faults = newFaults();
  const sockets = new Map<string, Socket>();
  const context: ServerContext = {
    store,
    faults,
    users: options.tls === undefined ? undefined : (options.users ?? DEFAULT_USERS),
    drop: (peer) => sockets.get(peer)?.destroy(),
  };

  const self = { host: HOST, port: 0 };
  const server = newGrpcServer(context, () => options.leader ?? self);
  const injector = server.createConnectionInjector(credentialsOf(options.tls));
  const listener = createServer({ noDelay: true }, (socket) => {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    sockets.set(peer, socket);
    socket.once('close', () => sockets.delete(peer));
    socket.on('error', () => {}); // a broken connection is the client's matter
    injector.injectConnection(socket);
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(options.port ?? 0, HOST, resolve);
  });
  self.port = (listener.address() as AddressInfo).port;

  const dropConnections = () => {
    for (const socket of sockets.values()) socket.destroy();
  };
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll());
  const closeAll = async () => {
    const closed = new Promise((resolve) => listener.close(resolve));
    store.close();
    dropConnections();
    server.forceShutdown();
    await closed;
  };
  return {
    // Certificates are for names.
    url: options.tls ? `esdb://localhost:${self.port}` : `esdb://${HOST}:${self.port}?tls=false`,
    port: self.port,
    faults,
    dropConnections,
    kill: close,
    async stop() {
      // What was submitted in this turn of the event loop is written and answered.
      await new Promise((resolve) => setImmediate(resolve));
      await close();
    },
  };
}

const credentialsOf = (tls: EventStoreServerOptions['tls']): grpc.ServerCredentials =>
  tls === undefined
    ? grpc.ServerCredentials.createInsecure()
    : grpc.ServerCredentials.createSsl(null, [
        { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) },
      ]);

/** Requests reach the handlers as bytes: what is no message gets the server's answer, not grpc-js's. */
const asBytes = <Definition extends object>(definition: Definition) => ({
  ...definition,
  requestDeserialize: (bytes: Buffer) => bytes,
});

function newGrpcServer(context: ServerContext, leader: () => Member): grpc.Server {
  const server = new grpc.Server({
    interceptors: [likeKestrel],
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0,
  });
  const methods = streamsService.StreamsService;
  server.addService(
    {
      read: asBytes(methods.read),
      append: asBytes(methods.append),
      batchAppend: asBytes(methods.batchAppend),
      delete: methods.delete,
      tombstone: methods.tombstone,
    },
    {
      read: (call: Parameters<typeof read>[1]) => void read(context, call),
      append: append.bind(undefined, context),
      batchAppend: batchAppend.bind(undefined, context),
      delete: softDelete.bind(undefined, context),
      tombstone: tombstone.bind(undefined, context),
    },
  );
  server.addService(featuresService.ServerFeaturesService, {
    getSupportedMethods: (_: unknown, reply: grpc.sendUnaryData<unknown>) =>
      reply(null, supportedMethods()),
  });
  server.addService(gossipService.GossipService, {
    read: (_: unknown, reply: grpc.sendUnaryData<unknown>) => reply(null, clusterInfo(leader())),
  });
  return server;
}
