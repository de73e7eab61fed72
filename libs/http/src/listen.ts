import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Service } from '#libs/platform';

/** Serves on HOST and PORT until the service stops. Says where: a port of 0 is a free one. */
export async function listen(
  app: NestFastifyApplication,
  { configuration, logger, shutdown }: Service,
): Promise<void> {
  shutdown.step('http', () => app.close());
  await app.listen({ host: configuration.host, port: configuration.port });
  logger.info({ url: await app.getUrl() }, 'listening');
}
