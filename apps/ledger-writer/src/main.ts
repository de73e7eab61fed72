import 'reflect-metadata';
import { openEngines } from '#libs/engines';
import { ONE_OF_MANY, runService, serveHealth } from '#libs/platform';
import { startLedgerWriter } from './ledger-writer.js';

await runService(
  'ledger-writer',
  async (service) => {
    const url = await serveHealth(service);
    const engines = await openEngines({
      ...service,
      name: 'ledger-writer',
      access: 'share',
      on_fatal: service.fail,
    });
    service.shutdown.step('engines', () => engines.close());
    const writer = await startLedgerWriter({ ...service, engines });
    service.shutdown.step('ledger-writer', () => writer.close());
    service.logger.info({ url }, 'ready');
  },
  ONE_OF_MANY,
);
