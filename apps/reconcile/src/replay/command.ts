import { Command } from 'commander';
import type { CommandContext } from '../program.js';
import { tenantOf, tenantOption } from '../arguments.js';
import { parseAsOf, type AsOf } from './as-of.js';
import { replay } from './replay.js';

export const replayCommand = (context: CommandContext): Command =>
  new Command('replay')
    .description("fold an account's stream, show the balance after each event")
    .argument('<account>')
    .addOption(tenantOption())
    .option(
      '--as-of <moment>',
      'up to a revision it has, or a date or time (UTC unless it says otherwise)',
      parseAsOf,
    )
    .addHelpText('after', HELP)
    .action((account_id: string, options: { tenant?: string; asOf?: AsOf }, command: Command) =>
      context.runOnEngines(command, ({ store }, out) =>
        replay(
          store,
          {
            tenant_id: tenantOf(options.tenant, context.env),
            account_id,
            as_of: options.asOf,
            signal: context.signal,
          },
          out,
        ),
      ),
    );

const HELP = `
Examples:
  usage-ledger replay acct-0001
  usage-ledger replay acct-0001 --as-of 12
  usage-ledger replay acct-0001 --as-of 2026-01-31T12:00:00Z`;
