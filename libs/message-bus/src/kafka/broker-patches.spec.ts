import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ISocketFactory } from 'kafkajs';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import {
  closeBuses,
  connectBus,
  describeKafka,
  makeTopics,
  sharedKafka,
} from '../../../../test/kafka.js';
import { message, until } from '../../contract-bench.js';
import { dropBroken } from './broker-patches.js';
import { openLeaders } from './leaders.js';

const TIMEOUT_MS = 30_000;
const FETCH = 1;
const HEARTBEAT = 12;

describe('a pool of brokers', () => {
  const CONNECTION = { requestTimeout: 50, requestQueue: { inflight: new Map() } };
  const logger = { debug() {}, warn() {}, error() {}, info() {}, namespace: () => logger };
  const closed: string[] = [];
  beforeEach(() => void (closed.length = 0));

  const broker = (host: string, more: object = {}) => ({
    nodeId: 1,
    connectionPool: { host, port: 1, rack: null, pool: [CONNECTION] },
    isConnected: () => true,
    connect: async () => {},
    disconnect: async () => void closed.push(host),
    ...more,
  });
  type StandIn = ReturnType<typeof broker>;

  const poolOf = (brokers: Record<number, StandIn>) => {
    const Pool = BrokerPool as unknown as new (options: object) => BrokerPool;
    const build = async ({ host = 'a' } = {}) => broker(host).connectionPool;
    const pool = new Pool({ connectionPoolBuilder: { build }, logger, retry: { retries: 5 } });
    return Object.assign(pool, {
      brokers,
      seedBroker: brokers[1],
      createBroker: ({ connectionPool }: StandIn) => broker(connectionPool.host),
    }) as BrokerPool;
  };

  it('closes the connections of one that is given up', () => {
    const pool = poolOf({ 1: broker('a'), 2: { ...broker('b'), nodeId: 2 } });
    pool.removeBroker({ host: 'b', port: 1 });
    expect(closed).toEqual(['b']);
    expect(Object.keys(pool.brokers)).toEqual(['1']);
  });

  it('client hazard 21: survives the removal of its only broker while that one is asked', async () => {
    const removing = {
      metadata: async () => {
        pool.removeBroker({ host: 'a', port: 1 });
        return { brokers: [{ nodeId: 1, host: 'a', port: 1, rack: null }], topicMetadata: [] };
      },
    };
    const pool: BrokerPool = poolOf({ 1: broker('a', removing) });
    const answer = { brokers: [{ nodeId: 1, host: 'a', port: 1 }], topicMetadata: [] };
    Object.assign(pool, {
      createBroker: () => broker('a', { metadata: async () => answer }),
    });
    await pool.refreshMetadata([]);
    expect(pool.brokers[1]!.connectionPool.host).toBe('a');
    pool.seedBroker = undefined;
    pool.removeBroker({ host: 'a', port: 1 });
    expect(Object.keys(pool.brokers)).toEqual([]);
  });

  it('client hazard 16: asks one that owes an answer only when no other answers', async () => {
    const inflight = new Map([[1, { sentAt: Date.now() - 2_000 }]]);
    const connectionPool = { pool: [{ requestQueue: { inflight } }] };
    const silent = { ...broker('a'), connectionPool: connectionPool as never };
    const pool = poolOf({ 1: silent, 2: { ...broker('b'), nodeId: 2 } });
    for (let time = 0; time < 20; time += 1) {
      expect((await pool.findConnectedBroker()).nodeId).toBe(2);
      expect(await pool.withBroker(async ({ nodeId }) => nodeId)).toBe('2');
    }
    const failing = async ({ nodeId }: { nodeId: string }) => {
      if (nodeId === '2') throw new Error('away');
      return nodeId;
    };
    expect(await pool.withBroker(failing)).toBe('1');
  });

  it('client hazard 16: is not robbed of new connections by a request on those before', async () => {
    const brokers = [{ nodeId: 1, host: 'a', port: 1, rack: null }];
    const metadata = async () => ({ brokers, topicMetadata: [] });
    const pool = poolOf({ 1: broker('a', { metadata }) });
    await pool.refreshMetadata([]);
    const removeBroker = (address: { host: string; port: number }) => pool.removeBroker(address);
    const cluster = { brokerPool: pool, removeBroker };
    const late = { name: 'KafkaJSRequestTimeoutError', broker: 'a:1' };
    dropBroken(cluster, { ...late, sentAt: Date.now() - 15_000 });
    expect(Object.keys(pool.brokers)).toEqual(['1']);
    dropBroken(cluster, { ...late, sentAt: Date.now() + 1 });
    expect(Object.keys(pool.brokers)).toEqual([]);
  });

  it('client hazard 16: waits once for one that takes connections and lets nobody log in', async () => {
    let attempts = 0;
    const hanging = () => {
      attempts += 1;
      return new Promise<void>(() => {});
    };
    const pool = poolOf({ 1: broker('a', { isConnected: () => false, connect: hanging }) });
    await expect(pool.connectBroker(pool.brokers[1]!)).rejects.toMatchObject({
      name: 'KafkaJSRequestTimeoutError',
      broker: 'a:1',
    });
    expect({ attempts, closed, left: Object.keys(pool.brokers) }).toEqual({
      attempts: 1,
      closed: ['a'],
      left: [],
    });
  });
});

it('client hazard 16: whoever is asked in vain who leads is given up too', async () => {
  const removed: object[] = [];
  const silent = (broker: string) =>
    Object.assign(new Error('timed out'), { name: 'KafkaJSRequestTimeoutError', broker });
  let asked = 0;
  const cluster = {
    connect: async () => {},
    addMultipleTargetTopics: async () => {},
    removeBroker: (address: object) => removed.push(address),
    refreshMetadata: async () => {
      asked += 1;
      throw silent('h:1');
    },
  } as unknown as Cluster;
  const leaders = await openLeaders(cluster, ['t'], { min_ms: 1, max_ms: 1 });
  const moved = Object.assign(new Error('moved'), { type: 'NOT_LEADER_FOR_PARTITION' });
  for (let time = 0; time < 3; time += 1)
    await expect(leaders.recover(moved)).rejects.toThrow('timed out');
  expect(asked).toBe(3);
  expect(removed).toEqual(Array.from({ length: 3 }, () => ({ host: 'h', port: 1 })));
});

describeKafka('a coordinator that is given up as a leader', () => {
  afterEach(closeBuses, TIMEOUT_MS);

  it(
    'client hazard 20: leaves no connection behind',
    async () => {
      const brokers = await sharedKafka();
      const topic = `orphan-${Date.now().toString(36)}${process.pid}`;
      await makeTopics(brokers, [topic], 1);
      const sent = new Map<Socket, Set<number>>();
      let onFetch = (_socket: Socket) => {};
      /** The broker closes the connection while it waits for messages to answer with. */
      const endFetch = () =>
        new Promise((resolve) => {
          onFetch = (socket) => {
            onFetch = () => {};
            socket.on('close', resolve);
            setTimeout(() => socket.push(null), 20);
          };
        });
      const socket_factory: ISocketFactory = ({ host, port, onConnect }) => {
        const socket = connect({ host, port }, onConnect);
        const keys = new Set<number>();
        const write = socket.write.bind(socket);
        const spied = (frame: string | Buffer) => {
          const key = Buffer.from(frame as string, 'binary').readInt16BE(4);
          keys.add(key);
          if (key === FETCH) onFetch(socket);
          return write(frame, 'binary');
        };
        Object.assign(socket, { write: spied });
        sent.set(socket, keys);
        socket.on('close', () => sent.delete(socket));
        return socket;
      };
      const { bus, fatal } = await connectBus(brokers, [topic], 1, {}, { socket_factory });
      let got = 0;
      await bus.consume({
        group: topic,
        topics: [topic],
        max_batch: 50,
        handler: async (messages) => void (got += messages.length),
      });
      const flow = async () => {
        const before = got;
        await bus.publish(topic, [message('k', 'v')]);
        await until(() => got > before);
      };
      const senders = (key: number) => [...sent].filter(([, keys]) => keys.has(key));
      const beat = async () => {
        for (const [, keys] of senders(HEARTBEAT)) keys.delete(HEARTBEAT);
        await until(() => senders(HEARTBEAT).length > 0);
      };
      await flow();
      await beat();
      const before = sent.size;
      for (let time = 0; time < 3; time += 1) {
        await endFetch();
        await flow();
        await beat();
      }
      await sleep(300); // what is given up has ended
      expect(sent.size).toBe(before);
      await bus.close();
      await sleep(300);
      expect(sent.size).toBe(0);
      expect(fatal).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
