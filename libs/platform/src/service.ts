import { systemClock, type Clock } from './clock.js';
import {
  ConfigurationError,
  parseConfiguration,
  type Configuration,
  type ConfigurationRules,
} from './configuration.js';
import { createHealth, type Health } from './health.js';
import { CannotStart } from './listening.js';
import { createLogger, type Logger } from './logger.js';
import { createMetrics, measureProcess, type Metrics } from './metrics.js';
import { createShutdown, type Shutdown } from './shutdown.js';

/** What a process has before it starts anything of its own. */
export interface Service {
  readonly configuration: Configuration;
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly shutdown: Shutdown;
  /** Something that no retry fixes: logs it, stops in order and exits with code 1. */
  readonly fail: (error: unknown, message: string) => void;
}

interface ServiceOptions extends ConfigurationRules {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly out?: NodeJS.WritableStream & { isTTY?: boolean };
  readonly error?: NodeJS.WritableStream;
  readonly exit?: (code: number) => void;
  /** Where signals come from. */
  readonly source?: NodeJS.EventEmitter;
}

/** Of an app that is one process of many: what it shares with the others is never its local disk. */
export const ONE_OF_MANY: ServiceOptions = { name_engines: true };

/**
 * The main of a process: reads the configuration, starts, and from then on stops when asked to. A bad
 * configuration is reported in plain words; a start that fails is logged (redacted) and what had been
 * started is stopped again. Both exit with code 1.
 */
export async function runService(
  name: string,
  start: (service: Service) => Promise<void>,
  options: ServiceOptions = {},
): Promise<void> {
  const { env = process.env, out = process.stdout, error = process.stderr } = options;
  const exit = options.exit ?? ((code: number) => process.exit(code));
  const configuration = readConfiguration(env, name, error, options);
  if (!configuration) return exit(1);
  const logger = createLogger(name, configuration.log_level, out);
  const shutdown = createShutdown({ logger, exit });
  shutdown.listen(options.source ?? process);
  const health = createHealth();
  let has_started = false;
  health.add('readiness', 'running', () => {
    if (shutdown.isStopping()) return 'is stopping';
    return has_started ? undefined : 'is starting';
  });
  const metrics = createMetrics();
  measureProcess(metrics);
  const fail = (err: unknown, message: string) => {
    logger.fatal({ err }, message);
    void shutdown.run(message, 1).then(exit);
  };
  try {
    await start({ configuration, logger, health, metrics, clock: systemClock, shutdown, fail });
    has_started = true;
  } catch (err) {
    if (err instanceof CannotStart) logger.fatal(`cannot start: ${err.message}`);
    else logger.fatal({ err }, 'cannot start');
    exit(await shutdown.run('cannot start', 1));
  }
}

function readConfiguration(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  error: NodeJS.WritableStream,
  rules: ConfigurationRules,
): Configuration | undefined {
  try {
    return parseConfiguration(env, undefined, rules);
  } catch (fault) {
    if (!(fault instanceof ConfigurationError)) throw fault;
    error.write(`${name}: ${fault.message}\n`);
    return undefined;
  }
}
