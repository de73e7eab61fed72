import { createHttpApp, listen } from '#libs/http';
import type { MessageBus } from '#libs/message-bus';
import type { Service } from '#libs/platform';
import { UsageGatewayModule } from './usage-gateway.module.js';

const USAGE_GATEWAY_API = {
  title: 'usage-gateway',
  description:
    'The write side of usage-ledger. Every write takes a request_id that its caller made: sent ' +
    'again, it is answered with the same decision and charged once.',
  version: '1',
};

/** Serves the write side on a port of its own, from now until the service stops. */
export async function startUsageGateway(service: Service, bus: MessageBus): Promise<void> {
  const { configuration, logger, health, metrics, clock } = service;
  const app = await createHttpApp({
    modules: [UsageGatewayModule.register({ bus, logger, health, metrics, clock })],
    api: USAGE_GATEWAY_API,
    keys: configuration.api_keys,
    health,
    metrics,
    logger,
  });
  await listen(app, service);
}
