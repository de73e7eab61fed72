import { REQUEST_TOPICS } from '#libs/contracts';
import type { System } from './system.js';

/** Messages on the topics of requests, and events of all accounts. */
export async function recorded(system: System): Promise<{ messages: number; events: number }> {
  const engines = await system.openEngines();
  try {
    const positions = await engines.bus.positions('counting', REQUEST_TOPICS);
    const messages = positions.reduce((sum, { end }) => sum + end, 0);
    let events = 0;
    const all = { prefix: '', after: null, batch_size: 1_000 };
    for await (const batch of engines.store.readAll(all)) events += batch.length;
    return { messages, events };
  } finally {
    await engines.close();
  }
}
