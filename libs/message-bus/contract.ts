import { setTimeout as sleep } from 'node:timers/promises';
import type { Adapter, Bench, Broker, DefineRule } from './contract-bench.js';
import { deliveryRules } from './contract-delivery.js';
import { groupRules } from './contract-group.js';
import { messageRules } from './contract-message.js';

/** Every adapter of the port must pass this suite. */
export function messageBusContract(adapter: Adapter): void {
  describe(`${adapter.name} keeps the contract of the message bus`, () => {
    let broker: Broker;
    let names = 0;
    beforeAll(async () => {
      broker = await adapter.start();
    }, adapter.timeout_ms);
    // A rule that failed may have left a handler that never ends.
    const patience = () => sleep(adapter.timeout_ms / 2, undefined, { ref: false });
    afterAll(() => Promise.race([broker.stop(), patience()]), adapter.timeout_ms);

    const rule: DefineRule = (name, body, needs) => {
      const excuse = needs === undefined ? undefined : adapter.cannot?.[needs];
      if (excuse === undefined) it(name, body, adapter.timeout_ms);
      else process.stdout.write(`${adapter.name}: not asked whether it ${name}: ${excuse}\n`);
    };
    const run = `${Date.now().toString(36)}${process.pid}`;
    const bench: Bench = {
      rule,
      topic: () => `contract-${run}-${names++}`,
      group: () => `group-${run}-${names++}`,
      connect: (topics, partitions = 4) => broker.connect(topics, partitions),
      broker: () => broker,
    };
    messageRules(bench);
    deliveryRules(bench);
    groupRules(bench);
  });
}
