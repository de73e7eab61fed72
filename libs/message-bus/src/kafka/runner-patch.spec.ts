import createFetchManager from 'kafkajs/src/consumer/fetchManager.js';
import Runner from 'kafkajs/src/consumer/runner.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import './runner-patch.js';

it('client hazard 25: fetchers that begin while the consumer stops end', async () => {
  let brokers = ['1', '2'];
  const logger = { namespace: () => logger, debug: () => {}, info: () => {} };
  const runner = { running: true, logger, consumerGroup: {} } as unknown as Runner;
  let fetches = 0;
  const manager = createFetchManager({
    logger,
    getNodeIds: () => brokers,
    async fetch(node_id) {
      fetches += 1;
      // Without the patch the loop never turns again, nor does any time limit of a test come to pass.
      if (fetches > 1_000) throw new Error('it never ends');
      if (runner.running) await nextTurn();
      else return Runner.prototype.fetch.call(runner, node_id);
      return [];
    },
    handler: async () => {},
  });
  const running = manager.start();
  await nextTurn();
  brokers = ['1', '2', '3'];
  runner.running = false;
  await expect(running).rejects.toThrow('the consumer is not running');
});
