import { createHealth, createMetrics } from '#libs/platform';
import { HealthController } from './health.controller.js';

it('metrics are of now: what the checks measure is measured for each scrape, failing or not', async () => {
  const [health, metrics] = [createHealth(), createMetrics()];
  const controller = new HealthController(health, metrics);
  let lag = 0;
  health.add('readiness', 'worker', () => {
    metrics.lag.set({ worker: 'worker' }, lag);
    return 'is stuck';
  });
  for (lag of [7, 8]) {
    expect(await controller.scrape()).toContain(`ledger_lag{worker="worker"} ${lag}`);
  }
});
