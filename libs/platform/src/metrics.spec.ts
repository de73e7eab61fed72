import { createMetrics, measureProcess } from './metrics.js';

it('shows every metric by its name, with help', async () => {
  const metrics = createMetrics();
  metrics.published_total.inc({ topic: 'a' }, 3);
  metrics.lag.set({ worker: 'w' }, 7);
  const text = await metrics.registry.metrics();
  expect(text).toContain('ledger_published_total{topic="a"} 3');
  expect(text).toContain('ledger_lag{worker="w"} 7');
  const names = metrics.registry.getMetricsAsArray().map((metric) => metric.name);
  for (const name of names) {
    expect(name).toMatch(/^ledger_[a-z_]+$/);
    expect(text).toContain(`# HELP ${name} `);
  }
});

it('keeps two sets in one process apart', async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.in_flight.inc();
  expect(await other.registry.metrics()).toContain('ledger_in_flight 0');
});

it('tells of the process on request', async () => {
  const metrics = createMetrics();
  measureProcess(metrics);
  expect(await metrics.registry.metrics()).toContain('process_resident_memory_bytes');
  metrics.registry.clear();
});
