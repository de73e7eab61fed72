import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createLogger, parseConfiguration, systemClock, type Configuration } from '#libs/platform';
import { CouldNotRun, EXIT } from './exit-code.js';
import { runProgram } from './program.js';

const interrupted = new AbortController();
// The second one ends the process at once: the listener is gone.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interrupted.abort());

// Whoever reads the output has had enough (head, less).
process.stdout.on('error', () => interrupted.abort());

/** A mistyped folder must not become a new, empty ledger on which all is well. */
function requireLedger({ postgres, data_dir }: Configuration): void {
  if (postgres.kind !== 'embedded' || existsSync(join(data_dir, 'postgres', 'PG_VERSION'))) return;
  throw new CouldNotRun(`no ledger in ${resolve(data_dir)}: set DATA_DIR to the folder of one`);
}

process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupted.signal,
  clock: systemClock,
  async openEngines(env) {
    // Loaded only by commands that need it: a help text should not wait for Kafka's client.
    const { openEngines } = await import('#libs/engines');
    const logger = createLogger('usage-ledger', 'warn', process.stderr);
    const configuration = parseConfiguration(env);
    requireLedger(configuration);
    const on_fatal = (err: unknown, message: string) => {
      logger.fatal({ err }, message);
      process.exit(EXIT.could_not_run);
    };
    return openEngines({ configuration, logger, name: 'reconcile', access: 'share', on_fatal });
  },
});
