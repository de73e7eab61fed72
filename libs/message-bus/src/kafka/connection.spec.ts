import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokersFunction } from 'kafkajs';
import type BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import { Secret } from '#libs/platform';
import { until } from '../../contract-bench.js';
import {
  clientConfig,
  clusterOf,
  createClient,
  withAdmin,
  type KafkaConnection,
} from './connection.js';

it('encrypts when it is asked to, and trusts whom it is told', () => {
  const tls = (given: Partial<KafkaConnection>) =>
    clientConfig({ brokers: ['a:1'], client_id: 'test', ...given }).ssl;
  expect(tls({})).toBeUndefined();
  expect(tls({ tls: true })).toBe(true);
  expect(tls({ tls: { ca: 'PEM' } })).toEqual({ ca: 'PEM' });
});

it('a socket that never connects may be let go of any number of times without a warning', async () => {
  const { socketFactory } = clientConfig({ brokers: ['a:1'], client_id: 'test' });
  const socket = socketFactory!({ host: '127.0.0.1', port: 1, ssl: {}, onConnect: () => {} });
  await once(socket, 'close').catch(() => {}); // refused
  const before = socket.listenerCount('connect');
  for (let n = 0; n < 20; n += 1) socket.unref(); // as each disconnect of kafkajs does
  expect(socket.listenerCount('connect')).toBe(before + 20);
  expect(socket.getMaxListeners()).toBe(0);
});

it('begins with another broker each time: one that hangs must not keep everybody out', async () => {
  const { brokers } = clientConfig({ brokers: ['a:1', 'b:1'], client_id: 'test' });
  const next = brokers as BrokersFunction;
  const seeds = [await next(), await next(), await next()];
  expect(seeds.slice(0, 2).flat().toSorted()).toEqual(['a:1', 'b:1']);
  expect(seeds[2]).toEqual(seeds[0]);
});

it('begins anywhere: a restart must not meet the same broker again', async () => {
  const first = async () => {
    const { brokers } = clientConfig({ brokers: ['a:1', 'b:1'], client_id: 'test' });
    return (brokers as BrokersFunction)();
  };
  const seeds = await Promise.all(Array.from({ length: 100 }, first));
  expect(new Set(seeds.flat())).toEqual(new Set(['a:1', 'b:1']));
});

const METADATA = 3;
const API_VERSIONS = 18;
const SASL_HANDSHAKE = 17;
const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A broker that takes connections, and answers each request with what it is told. */
const listen = async (answer: (key: number, port: number) => Buffer | undefined) => {
  const requests: { key: number; body: Buffer }[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (frame) => {
      const key = frame.readInt16BE(4);
      requests.push({ key, body: frame.subarray(12) });
      const body = answer(key, (server.address() as AddressInfo).port);
      if (body !== undefined) socket.write(response(frame, body));
    });
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { broker: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
};
const response = (request: Buffer, body: Buffer) => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length, 0);
  request.copy(head, 4, 8, 12); // the correlation id
  return Buffer.concat([head, body]);
};
const int16 = (...values: number[]) =>
  Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 0xff])));
// No error; four requests, each in the versions that follow; no throttling.
const versions = Buffer.concat([
  int16(0, 0, 4),
  int16(METADATA, 0, 0, SASL_HANDSHAKE, 0, 1, API_VERSIONS, 0, 1, 36, 0, 1),
  int16(0, 0),
]);
/** One broker, this one, and no topics. */
const metadata = (port: number) =>
  Buffer.concat([int16(0, 1, 0, 1, 9), Buffer.from('127.0.0.1'), int16(0, port, 0, 0)]);

interface Pooled {
  readonly brokerPool: BrokerPool;
}

describe('client hazard 22: among brokers that take connections and answer nothing', () => {
  const silent = async () => (await listen(() => undefined)).broker;
  const working = async () =>
    (await listen((key, port) => (key === METADATA ? metadata(port) : versions))).broker;
  const request_timeout_ms = 300;
  const client_id = 'test';

  it('finds the one that answers', async () => {
    const answering = await working();
    const brokers = [await silent(), await silent(), answering];
    const connection = { brokers, client_id, request_timeout_ms };
    const { brokers: found } = await withAdmin(connection, (admin) => admin.describeCluster());
    expect(found).toHaveLength(1);
  });

  it('tries one that was silent only after all others', async () => {
    const answering = await working();
    const quiet = await silent();
    const connection = { brokers: [quiet, answering], client_id, request_timeout_ms };
    await withAdmin({ ...connection, brokers: [quiet] }, async () => {}).catch(() => {});
    await withAdmin(connection, async () => {});
    const next = clientConfig(connection).brokers as BrokersFunction;
    expect([await next(), await next()].flat()).toEqual([answering, answering]);
  });

  it('tries each of them, also when none has answered before', async () => {
    const brokers = [await silent(), await working()];
    const connection = { brokers, client_id, request_timeout_ms };
    for (let n = 0; n < 3; n += 1) {
      for (const broker of brokers) {
        const { socketFactory } = clientConfig(connection);
        const [host, port] = broker.split(':');
        // Gone before an answer, as when it is cut.
        socketFactory!({ host: host!, port: Number(port), ssl: {}, onConnect() {} }).destroy();
      }
      await sleep(1_100); // or they count as only just begun
      expect(await withAdmin(connection, async () => 'done')).toBe('done');
    }
  }, 30_000);

  it('is not connected to one of them, asks it once, and then another', async () => {
    const quiet = await listen(() => undefined);
    const connection = { brokers: [quiet.broker], client_id, request_timeout_ms };
    const cluster = clusterOf(createClient(connection));
    for (const attempt of [1, 2]) {
      await expect(cluster.connect()).rejects.toMatchObject({
        name: 'KafkaJSConnectionError',
        retriable: false,
        broker: quiet.broker,
      });
      expect(cluster.isConnected()).toBe(false);
      expect(quiet.requests).toHaveLength(attempt);
    }
    connection.brokers[0] = await working();
    await cluster.connect().catch(() => {}); // of the seed that it had chosen already
    await cluster.connect();
    await cluster.refreshMetadata();
    await cluster.disconnect();
  });

  it('is connected for none of those that wait for it together', async () => {
    const connection = { brokers: [await silent()], client_id, request_timeout_ms };
    const { brokerPool } = clusterOf(createClient(connection)) as unknown as Pooled;
    await brokerPool.createSeedBroker();
    const { seedBroker } = brokerPool;
    const both = await Promise.allSettled([seedBroker!.connect(), seedBroker!.connect()]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  }, 15_000);

  it('asks none any more when it was closed while it connected', async () => {
    const quiet = await listen(() => undefined);
    const connection = { brokers: [quiet.broker], client_id, request_timeout_ms };
    const cluster = clusterOf(createClient(connection));
    const connecting = cluster.connect().catch((error: Error) => error.name);
    await until(() => quiet.requests.length === 1);
    await cluster.disconnect();
    expect(await connecting).toBe('KafkaJSConnectionError');
    const opened = sockets.length;
    await sleep(5 * request_timeout_ms); // longer than a second attempt would pause
    expect([sockets.length, quiet.requests.length]).toEqual([opened, 1]);
  });

  it('says which it has tried', async () => {
    const brokers = [await silent(), await silent()];
    const trying = withAdmin({ brokers, client_id, request_timeout_ms }, async () => {});
    await expect(trying).rejects.toThrow(`(tried ${brokers.join(', ')})`);
  }, 15_000);
});

describe('a login', () => {
  const handshake = Buffer.concat([int16(0, 0, 1, 5), Buffer.from('PLAIN')]);
  // Login failed, and why; no more bytes, no session.
  const refusal = Buffer.concat([int16(58, 2), Buffer.from('no'), int16(0, 0, 0, 0, 0, 0)]);
  const answers = new Map([
    [API_VERSIONS, versions],
    [SASL_HANDSHAKE, handshake],
  ]);

  it('F32: sends the password to the broker, and shows it to nobody else', async () => {
    const { broker, requests } = await listen((key) => answers.get(key) ?? refusal);
    const said: string[] = [];
    const connection: KafkaConnection = {
      brokers: [broker],
      client_id: 'test',
      sasl: { mechanism: 'plain', username: 'ledger', password: new Secret('hunter2') },
      on_log: (...line) => said.push(JSON.stringify(line)),
    };
    const failed: unknown = await withAdmin(connection, async () => {}).catch(
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ name: 'KafkaJSSASLAuthenticationError' });
    const login = requests.find(({ key }) => key !== API_VERSIONS && key !== SASL_HANDSHAKE);
    expect(login?.body.toString()).toContain('\0ledger\0hunter2');
    expect(said.length).toBeGreaterThan(0);
    for (const text of [...said, String((failed as Error).stack), JSON.stringify(connection)])
      expect(text).not.toContain('hunter2');
  });
});
