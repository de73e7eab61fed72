import { resolve } from 'node:path';
import { FinanceApiModule } from '#apps/finance-api';
import { startLedgerWriter } from '#apps/ledger-writer';
import { startThreadedProjector } from '#apps/projector';
import { UsageGatewayModule } from '#apps/usage-gateway';
import { openEngines } from '#libs/engines';
import { createHttpApp, serve } from '#libs/http';
import { devApiKey, lackOfRoom, type ApiKey, type Service } from '#libs/platform';
import { devKeyOf } from './dev-key.js';
import { greeting } from './greeting.js';

const API = {
  title: 'usage-ledger',
  description: 'An event-sourced ledger of usage credits: writes and reads on one port.',
  version: '1',
};

/**
 * Everything in one process on the same engines: gateway, writer and finance API in one thread, the
 * projector in another.
 */
export async function startStandalone(service: Service): Promise<void> {
  const { configuration, logger, health, shutdown } = service;
  const dev_key = await devKeyOf(configuration);
  const keys = withDevKey(configuration.api_keys, dev_key?.key);
  const engines = await openEngines({
    ...service,
    name: 'usage-ledger',
    access: 'own',
    in_threads: true,
    on_fatal: service.fail,
  });
  shutdown.step('engines', () => engines.close());
  if (configuration.postgres.kind === 'embedded') {
    const folder = resolve(configuration.data_dir);
    health.add('readiness', 'data_dir', async () => {
      const lack = await lackOfRoom(folder);
      return lack && `${folder}: ${lack}`;
    });
  }

  const projector = await startThreadedProjector({ ...service, engines });
  shutdown.step('projector', () => projector.close());
  // No fatal line, since nothing ends: usage is taken and decided all the same. /readyz says why.
  void projector.broken.then((err) => logger.error({ err }, 'the projection cannot go on'));

  const writer = await startLedgerWriter({ ...service, engines });
  shutdown.step('ledger-writer', () => writer.close());
  await writer.price_books.refresh(new Set(keys.map(({ tenant_id }) => tenant_id)));

  const http = await createHttpApp({
    ...service,
    api: API,
    keys,
    modules: [
      UsageGatewayModule.register({ ...service, bus: engines.bus }),
      FinanceApiModule.register({ ...service, pool: engines.query_pool, store: engines.store }),
    ],
  });
  const url = await serve(http, service);
  logger.info({ url, docs: `${url}/docs`, data_dir: configuration.data_dir }, 'ready');
  if (dev_key?.is_new) process.stdout.write(greeting(url, dev_key.key, configuration.data_dir));
}

const withDevKey = (keys: readonly ApiKey[], key: string | undefined): readonly ApiKey[] => {
  if (key === undefined) return keys;
  const dev = devApiKey(key);
  return [...keys.filter(({ sha256 }) => sha256 !== dev.sha256), dev];
};
