import kafkajs, { type Broker, type Cluster as View } from 'kafkajs';
import BrokerPool, { type PooledBroker } from 'kafkajs/src/cluster/brokerPool.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { brokenAddress } from './errors.js';
import { within } from '#libs/platform';

// A patch of another version would change what nobody has read.
for (const method of [
  'connectBroker',
  'createSeedBroker',
  'findConnectedBroker',
  'refreshMetadata',
  'removeBroker',
  'withBroker',
] as const) {
  if (typeof BrokerPool.prototype[method] !== 'function')
    throw new Error(`kafkajs is not 2.2.4: BrokerPool has no ${method}`);
}
for (const method of ['heartbeat', 'leave'] as const) {
  if (typeof ConsumerGroup.prototype[method] !== 'function')
    throw new Error(`kafkajs is not 2.2.4: ConsumerGroup has no ${method}`);
}

const { connectBroker, findConnectedBroker, refreshMetadata, removeBroker, withBroker } =
  BrokerPool.prototype;
/** ms since 1970, when its connections can not be older. */
const known_since = new WeakMap<PooledBroker, number>();

/** kafkajs leaves the connections of a broker that it gives up open, with whatever waits on them. */
BrokerPool.prototype.removeBroker = function (this: BrokerPool, address) {
  const before = Object.values(this.brokers);
  this.seedBroker ??= before[0];
  removeBroker.call(this, address);
  const kept = new Set(Object.values(this.brokers));
  for (const broker of before)
    if (!kept.has(broker)) void broker.disconnect().catch(() => undefined);
};

/** kafkajs falls over a seed broker that is not there, which the removal of the last one leaves behind. */
BrokerPool.prototype.refreshMetadata = async function (this: BrokerPool, topics) {
  const ask = async () => {
    this.seedBroker ??= Object.values(this.brokers)[0];
    if (this.seedBroker === undefined) await this.createSeedBroker();
    await refreshMetadata.call(this, topics);
    for (const broker of Object.values(this.brokers))
      if (!known_since.has(broker)) known_since.set(broker, Date.now());
  };
  try {
    await ask();
  } catch (error) {
    if (this.seedBroker !== undefined) throw error;
    await ask(); // it was removed meanwhile
  }
};

/** To log in at a broker that hangs kafkajs tries six times, for as long as a request may take each. */
BrokerPool.prototype.connectBroker = async function (this: BrokerPool, broker) {
  if (broker.isConnected()) return;
  const { host, port, pool } = broker.connectionPool;
  let settled = false;
  const connecting = connectBroker.call(this, broker).finally(() => (settled = true));
  try {
    await within(pool[0]!.requestTimeout, connecting, `connecting to ${host}:${port}`);
  } catch (error) {
    if (settled) throw error;
    this.removeBroker({ host, port });
    const disconnect = () => broker.disconnect();
    connecting.then(disconnect, disconnect).catch(() => undefined); // it may still succeed
    throw new kafkajs.KafkaJSRequestTimeoutError(
      error as Error,
      {
        broker: `${host}:${port}`,
      } as kafkajs.KafkaJSRequestTimeoutErrorMetadata,
    );
  }
};

const SILENT_MS = 1_000;

/** It owes an answer for longer than a fetch waits for messages. */
const isSilent = ({ connectionPool: { pool } }: PooledBroker): boolean =>
  pool.some(({ requestQueue: { inflight } }) =>
    [...inflight.values()].some(({ sentAt }) => sentAt !== null && Date.now() - sentAt > SILENT_MS),
  );

/** kafkajs asks any broker who leads, also one that hangs, and so everybody waits for it (hazard 16). */
BrokerPool.prototype.findConnectedBroker = async function (this: BrokerPool) {
  const connected = Object.values(this.brokers).filter((broker) => broker.isConnected());
  const answering = connected.filter((broker) => !isSilent(broker));
  return answering[Math.floor(Math.random() * answering.length)] ?? findConnectedBroker.call(this);
};

type Work<T> = (one: { nodeId: string; broker: PooledBroker }) => Promise<T>;

/** The same for who coordinates a group: silent ones come last. */
BrokerPool.prototype.withBroker = async function <T>(
  this: BrokerPool,
  work: Work<T>,
): Promise<T | null> {
  const in_turn = Object.entries(this.brokers)
    .map(([nodeId, broker]) => ({ nodeId, rank: Math.random() + Number(isSilent(broker)) }))
    .toSorted((a, b) => a.rank - b.rank);
  if (in_turn.length === 0) return withBroker.call(this, work) as Promise<T | null>; // which says so
  for (const { nodeId } of in_turn) {
    const broker = await this.findBroker({ nodeId });
    try {
      return await work({ nodeId, broker });
    } catch {
      // the next one may answer
    }
  }
  return null;
};

/**
 * Drops what an error shows to be broken. A request that timed out says nothing of connections that were
 * opened after it was sent.
 */
export function dropBroken(cluster: Pick<View, 'removeBroker'>, error: unknown): void {
  const address = brokenAddress(error);
  if (address === undefined) return;
  const { sentAt } = error as { sentAt?: number };
  const { brokerPool } = cluster as Partial<Cluster>;
  const { host, port } = address;
  const broker = Object.values(brokerPool?.brokers ?? {}).find(
    ({ connectionPool: at }) => at.host === host && at.port === port,
  );
  const since = broker && known_since.get(broker);
  if (sentAt !== undefined && since !== undefined && sentAt < since) return;
  cluster.removeBroker(address);
}

type Cluster = ConsumerGroup['cluster'];

const isInPool = (cluster: Cluster, broker: Broker): boolean =>
  Object.values(cluster.brokerPool.brokers).includes(broker as PooledBroker);

/**
 * The coordinator as the pool has it: kafkajs goes on with a broker that was given up, over connections
 * that nobody closes any more (client hazard 20).
 */
async function renewed(cluster: Cluster, coordinator: Broker): Promise<Broker> {
  await cluster.refreshMetadataIfNecessary();
  return cluster.findBroker({ nodeId: String((coordinator as PooledBroker).nodeId) });
}

/** When it is in the pool, which is the rule, the request goes out in the turn in which it is asked for. */
for (const method of ['heartbeat', 'leave'] as const) {
  const original = ConsumerGroup.prototype[method] as (options?: object) => Promise<void>;
  ConsumerGroup.prototype[method] = async function (this: ConsumerGroup, options?: object) {
    if (this.memberId === null) return;
    if (this.coordinator !== null && !isInPool(this.cluster, this.coordinator))
      this.coordinator = await renewed(this.cluster, this.coordinator);
    return original.call(this, options);
  };
}
