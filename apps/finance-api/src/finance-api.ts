import type { Engines } from '#libs/engines';
import { createHttpApp, listen } from '#libs/http';
import type { Service } from '#libs/platform';
import { FinanceApiModule } from './finance-api.module.js';
import { readModelsCheck } from './read-models-check.js';

const FINANCE_API = {
  title: 'usage-ledger finance API',
  description: 'The read side.',
  version: '1',
};

/** Serves the read side on its own port, from now until the service stops. */
export async function startFinanceApi(
  service: Service,
  { query_pool: pool, store }: Pick<Engines, 'query_pool' | 'store'>,
): Promise<void> {
  const { configuration, logger, health, metrics, clock } = service;
  health.add('readiness', 'read_models', readModelsCheck(pool));
  const app = await createHttpApp({
    modules: [FinanceApiModule.register({ pool, store, clock })],
    api: FINANCE_API,
    keys: configuration.api_keys,
    health,
    metrics,
    logger,
  });
  await listen(app, service);
}
