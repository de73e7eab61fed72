import 'reflect-metadata';
import { openEngines } from '#libs/engines';
import { ONE_OF_MANY, runService } from '#libs/platform';
import { startFinanceApi } from './finance-api.js';

await runService(
  'finance-api',
  async (service) => {
    const engines = await openEngines({
      ...service,
      name: 'finance-api',
      access: 'share',
      on_fatal: service.fail,
    });
    service.shutdown.step('engines', () => engines.close());
    await startFinanceApi(service, engines);
  },
  ONE_OF_MANY,
);
