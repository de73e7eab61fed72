import Broker from 'kafkajs/src/broker/index.js';

// A patch of another version would change what nobody has read.
if (typeof Broker.prototype.connect !== 'function')
  throw new Error('kafkajs is not 2.2.4: Broker has no connect');

const { connect } = Broker.prototype;

/**
 * A broker that accepts the connection and does not say which requests it knows, as one that is frozen,
 * counts as connected from then on, since kafkajs looks at the socket alone; yet nothing can be sent to it
 * (client hazard 24). Whoever connects next must ask it again.
 */
Broker.prototype.connect = async function (this: Broker): Promise<void> {
  try {
    await connect.call(this);
  } catch (error) {
    await this.disconnect();
    throw error;
  }
};
