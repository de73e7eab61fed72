import type { Environment } from '#apps/standalone';
import { openEngines, type Engines, type EnginesOptions } from '#libs/engines';
import { createLogger, parseConfiguration } from '#libs/platform';

/** Engines beside a ledger or under one, for a test or a benchmark; what would end a process throws. */
export const openQuietEngines = (
  env: Environment,
  options: Partial<EnginesOptions> = {},
): Promise<Engines> =>
  openEngines({
    configuration: parseConfiguration(env),
    logger: createLogger('test', 'silent'),
    name: 'test',
    access: 'share',
    on_fatal(error) {
      throw error;
    },
    ...options,
  });
