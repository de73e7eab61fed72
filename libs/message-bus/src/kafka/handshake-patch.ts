import kafkajs from 'kafkajs';
import Broker from 'kafkajs/src/broker/index.js';

// A patch of another version would change what nobody has read.
if (typeof Broker.prototype.apiVersions !== 'function')
  throw new Error('kafkajs is not 2.2.4: Broker has no apiVersions');

const { apiVersions } = Broker.prototype;

/**
 * To kafkajs a broker is connected once its socket is, also when it never said which requests it knows; so
 * the second attempt resolves, and nothing can be sent (client hazard 22). Here it is a broker that can not
 * be connected to, which is closed and left for another seed. Not retriable: whoever asked begins again.
 */
Broker.prototype.apiVersions = async function (this: Broker) {
  try {
    return await apiVersions.call(this);
  } catch (error) {
    if ((error as Error).name !== 'KafkaJSRequestTimeoutError') throw error;
    await this.disconnect(); // before the next in turn looks at the socket
    const broker = this.brokerAddress;
    const silent = new kafkajs.KafkaJSConnectionError(
      `${broker} takes connections but answers nothing`,
      {
        broker,
      },
    );
    throw Object.assign(silent, { retriable: false, cause: error });
  }
};
