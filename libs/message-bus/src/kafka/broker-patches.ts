import kafkajs, { type Broker } from 'kafkajs';
import BrokerPool, { type PooledBroker } from 'kafkajs/src/cluster/brokerPool.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { within } from './within.js';

// A patch of another version would change what nobody has read.
for (const method of [
  'connectBroker',
  'createSeedBroker',
  'refreshMetadata',
  'removeBroker',
] as const) {
  if (typeof BrokerPool.prototype[method] !== 'function')
    throw new Error(`kafkajs is not 2.2.4: BrokerPool has no ${method}`);
}
for (const method of ['heartbeat', 'leave'] as const) {
  if (typeof ConsumerGroup.prototype[method] !== 'function')
    throw new Error(`kafkajs is not 2.2.4: ConsumerGroup has no ${method}`);
}

const { connectBroker, refreshMetadata, removeBroker } = BrokerPool.prototype;

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
