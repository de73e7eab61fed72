import { startLedgerWriter } from '#apps/ledger-writer';
import { startThreadedProjector } from '#apps/projector';
import { UsageGatewayModule } from '#apps/usage-gateway';
import type { Engines } from '#libs/engines';
import { createHttpApp } from '#libs/http';
import { createHealth, createLogger, createMetrics, systemClock } from '#libs/platform';
import { openQuietEngines } from '../engines.js';
import { driverOf, type Driver } from './driver.js';
import { BENCH_KEY } from './http.js';

/** The ledger as it runs in `npm start`: bus, writer, event store and projector in this process. */
export interface LedgerUnderTest extends Driver {
  readonly engines: Engines;
  /** Adds the gateway; resolves with its URL. */
  serveHttp(): Promise<string>;
  close(): Promise<void>;
}

const quiet = () => ({
  logger: createLogger('bench', 'silent'),
  health: createHealth(),
  metrics: createMetrics(),
  clock: systemClock,
});

export async function startLedger(env: Record<string, string>): Promise<LedgerUnderTest> {
  const common = quiet();
  const engines = await openQuietEngines(env, { ...common, access: 'own', in_threads: true });
  const opened: { close(): Promise<unknown> }[] = [engines];
  opened.push(
    await startThreadedProjector({
      ...common,
      engines,
      env: { ...env, LOG_LEVEL: 'fatal' },
      fail(error) {
        throw error;
      },
    }),
  );
  opened.push(await startLedgerWriter({ ...common, engines }));
  return {
    ...(await driverOf(engines)),
    engines,
    async serveHttp() {
      const app = await createHttpApp({
        ...common,
        api: { title: 'bench', description: 'Under load', version: '0' },
        keys: [BENCH_KEY],
        modules: [UsageGatewayModule.register({ ...common, bus: engines.bus })],
      });
      opened.push(app);
      await app.listen({ host: '127.0.0.1', port: 0 });
      return app.getUrl();
    },
    async close() {
      for (let last = opened.pop(); last; last = opened.pop()) await last.close();
    },
  };
}
