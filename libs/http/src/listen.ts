import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { boundUrl, listeningOn, watchConnections, type Service } from '#libs/platform';

/** Serves on HOST and PORT until the service stops. Answers where: a port of 0 is a free one. */
export async function serve(
  app: NestFastifyApplication,
  { configuration, shutdown }: Pick<Service, 'configuration' | 'shutdown'>,
): Promise<string> {
  const fastify = app.getHttpAdapter().getInstance();
  const endConnections = watchConnections(fastify.server);
  shutdown.step('http', () => {
    const closed = app.close();
    endConnections();
    return closed;
  });
  // Nest's own listen logs an error that it throws as well.
  await listeningOn(configuration, (address) => fastify.listen(address));
  return boundUrl(fastify.server);
}

/** Serves, and says where. */
export async function listen(app: NestFastifyApplication, service: Service): Promise<void> {
  service.logger.info({ url: await serve(app, service) }, 'listening');
}
