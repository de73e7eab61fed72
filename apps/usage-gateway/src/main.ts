import 'reflect-metadata';
import { openBusAlone } from '#libs/engines';
import { ONE_OF_MANY, runService } from '#libs/platform';
import { startUsageGateway } from './usage-gateway.js';

await runService(
  'usage-gateway',
  async (service) => {
    const engines = await openBusAlone({
      ...service,
      name: 'usage-gateway',
      access: 'share',
      on_fatal: service.fail,
    });
    service.shutdown.step('engines', () => engines.close());
    await startUsageGateway(service, engines.bus);
  },
  ONE_OF_MANY,
);
