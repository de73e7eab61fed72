import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ISocketFactory } from 'kafkajs';
import Connection from 'kafkajs/src/network/connection.js';
import {
  closeBuses,
  connectBus,
  describeKafka,
  makeTopics,
  sharedKafka,
} from '../../../../test/kafka.js';
import { message, until } from '../../contract-bench.js';
import './connection-patches.js';
import { within } from '#libs/platform';

const TIMEOUT_MS = 30_000;

describeKafka('a connection that is reset in the middle of an answer', () => {
  afterEach(closeBuses, TIMEOUT_MS);

  it(
    'client hazard 17: costs no answer on the next connection',
    async () => {
      const brokers = await sharedKafka();
      const topic = `reset-${Date.now().toString(36)}${process.pid}`;
      await makeTopics(brokers, [topic], 1);
      const writer = await connectBus(brokers, [topic], 1);
      let resets = 0;
      let armed = false;
      const socket_factory: ISocketFactory = ({ host, port, onConnect }) => {
        const socket = connect({ host, port }, onConnect);
        let got = 0;
        socket.on('data', (data) => {
          got = armed ? got + data.length : 0;
          if (got < 100_000 || resets === 5) return;
          resets += 1;
          socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
        });
        return socket;
      };
      const long = { session_timeout_ms: 20_000 }; // a shorter one ends before the answer is missed
      const reader = await connectBus(brokers, [topic], 1, long, { socket_factory });
      let got = 0;
      await reader.bus.consume({
        group: topic,
        topics: [topic],
        max_batch: 50,
        handler: async (messages) => void (got += messages.length),
      });
      await writer.bus.publish(topic, [message('k', 'the group is there')]);
      await until(() => got === 1);
      armed = true;
      const large = Array.from({ length: 40 }, () => message('k', 'x'.repeat(20_000)));
      await writer.bus.publish(topic, large);
      await within(
        8_000,
        until(() => got === 41),
        'reading on',
      ); // a lost answer is missed after 15 s
      expect(resets).toBe(5);
      expect(reader.fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('client hazard 17: one connection', () => {
  const logger = { debug() {}, warn() {}, error() {}, info() {}, namespace: () => logger };
  let server: Server;
  const accepted: Socket[] = [];
  beforeEach(async () => {
    accepted.length = 0;
    server = createServer({ allowHalfOpen: true }, (socket) => void accepted.push(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  const open = () => {
    const { port } = server.address() as AddressInfo;
    const options = { host: '127.0.0.1', port, logger, requestTimeout: 1_000 };
    const socketFactory: ISocketFactory = ({ host, port: to, onConnect }) =>
      connect({ host, port: to }, onConnect);
    return new Connection({ ...options, socketFactory, connectionTimeout: 1_000 });
  };

  it('opens one socket when two ask at once', async () => {
    const connection = open();
    expect(await Promise.all([connection.connect(), connection.connect()])).toEqual([true, true]);
    await until(() => accepted.length > 0);
    await sleep(50);
    expect(accepted.length).toBe(1);
    await connection.disconnect();
  });

  it('is not ended by what the socket before it still had to say', async () => {
    const connection = open();
    await connection.connect();
    await connection.disconnect();
    await connection.connect();
    await until(() => accepted.length === 2);
    accepted[0]!.end();
    await sleep(50);
    expect(connection.isConnected()).toBe(true);
    await connection.disconnect();
  });

  it('F28: does not miss an answer of which some is still being read', async () => {
    const connection = open();
    await connection.connect();
    let bytes = 0;
    Object.defineProperty(connection.socket, 'bytesRead', { get: () => bytes });
    const outcomes: string[] = [];
    const request = connection.requestQueue.createSocketRequest({
      entry: { correlationId: 1, resolve() {}, reject: ({ name }: Error) => outcomes.push(name) },
      expectResponse: true,
      sendRequest() {},
    });
    request.send();
    request.timeoutRequest();
    bytes += 65_536;
    await sleep(10);
    expect(outcomes).toEqual([]);
    request.timeoutRequest();
    await sleep(10);
    expect(outcomes).toEqual(['KafkaJSRequestTimeoutError']);
    await connection.disconnect();
  });
});
