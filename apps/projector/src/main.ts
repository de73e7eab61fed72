import 'reflect-metadata';
import { openEngines } from '#libs/engines';
import { ONE_OF_MANY, runService, serveHealth } from '#libs/platform';
import { startProjector } from './projector.js';

await runService(
  'projector',
  async (service) => {
    const url = await serveHealth(service);
    const engines = await openEngines({
      ...service,
      name: 'projector',
      access: 'share',
      on_fatal: service.fail,
    });
    service.shutdown.step('engines', () => engines.close());
    const projector = await startProjector({ ...service, engines });
    service.shutdown.step('projector', () => projector.close());
    service.logger.info({ url }, 'ready');
    // A projector that has stopped for good ends its process: whoever restarts it sees the reason.
    void projector.broken.then((error) => service.fail(error, 'the projection cannot go on'));
  },
  ONE_OF_MANY,
);
