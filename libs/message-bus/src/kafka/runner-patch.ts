import Runner from 'kafkajs/src/consumer/runner.js';

// A patch of another version would change what nobody has read.
if (typeof Runner.prototype.fetch !== 'function')
  throw new Error('kafkajs is not 2.2.4: Runner has no fetch');

const { fetch } = Runner.prototype;

/**
 * When brokers come or go while the consumer stops, kafkajs begins fetchers anew that nobody ends any more:
 * each gets nothing, at once, again and again, and the event loop never turns again (client hazard 25). An
 * error ends them.
 */
Runner.prototype.fetch = function (this: Runner, node_id: string): Promise<unknown[]> {
  if (!this.running) return Promise.reject(new Error('the consumer is not running'));
  return fetch.call(this, node_id);
};
