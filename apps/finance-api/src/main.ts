import 'reflect-metadata';
import { openEngines } from '#libs/engines';
import { createHttpApp, listen } from '#libs/http';
import { ONE_OF_MANY, runService } from '#libs/platform';
import { FinanceApiModule } from './finance-api.module.js';

await runService(
  'finance-api',
  async (service) => {
    const { configuration, shutdown } = service;
    const engines = await openEngines({
      ...service,
      name: 'finance-api',
      access: 'share',
      on_fatal: service.fail,
    });
    shutdown.step('engines', () => engines.close());
    const { query_pool: pool, store } = engines;
    const app = await createHttpApp({
      ...service,
      api: { title: 'usage-ledger finance API', description: 'The read side.', version: '1' },
      keys: configuration.api_keys,
      modules: [FinanceApiModule.register({ pool, store, clock: service.clock })],
    });
    await listen(app, service);
  },
  ONE_OF_MANY,
);
