import { setTimeout as delay } from 'node:timers/promises';
import { TOPICS } from '#libs/contracts';
import { eventually } from '../e2e/asking.js';
import { usageMessage } from '../e2e/bus.js';
import type { System } from '../e2e/system.js';
import { openAccounts, operationOf, type Acknowledged, type Clients } from './clients.js';

const PACE_MS = 50;

/**
 * Product services that put usage on the message bus themselves, each for an account of its own. What
 * was not published is published again with the same id.
 */
export async function startProducts(system: System, name: string, count: number): Promise<Clients> {
  const accounts = await openAccounts(system, `product-${name}`, count);
  const engines = await system.openEngines();
  const acknowledged: Acknowledged[] = [];
  let is_stopping = false;

  const isPublished = (account_id: string, request_id: string, operation: string) =>
    engines.bus.publish(TOPICS.usage, [usageMessage({ account_id, request_id, operation })]).then(
      () => true,
      () => false, // nothing is known
    );

  const product = async (account_id: string) => {
    for (let n = 0; !is_stopping; n += 1) {
      const request_id = `${name}-${n}`;
      const { operation, price } = operationOf(n);
      await eventually(`${request_id} is published`, () =>
        isPublished(account_id, request_id, operation),
      );
      acknowledged.push({ account_id, request_id, price, ...PUBLISHED });
      await delay(PACE_MS);
    }
  };

  const publishAll = async () => {
    try {
      await Promise.all(accounts.map(product));
    } finally {
      await engines.close();
    }
  };

  const running = publishAll();
  running.catch(() => {}); // thrown by stop
  return {
    async stop() {
      is_stopping = true;
      await running;
      return acknowledged;
    },
  };
}

/** Durable, to be decided. */
const PUBLISHED = { status: 202, revision: undefined, outcome: undefined };
