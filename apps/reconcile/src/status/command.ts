import { Command } from 'commander';
import { tenantOf, tenantOption } from '../arguments.js';
import type { CommandContext } from '../program.js';
import { status } from './status.js';
import { unpark } from './unpark.js';

export const statusCommand = (context: CommandContext): Command =>
  new Command('status')
    .description('lag, checkpoint, dead letters, parked accounts')
    .addHelpText('after', '\nExample:\n  usage-ledger status --json')
    .action((_options: object, command: Command) => context.runOnEngines(command, status));

export const unparkCommand = (context: CommandContext): Command =>
  new Command('unpark')
    .description('decide the requests of a parked account again')
    .argument('<account>')
    .addOption(tenantOption())
    .addHelpText('after', '\nExample:\n  usage-ledger unpark acct-0001')
    .action((account_id: string, { tenant }: { tenant?: string }, command: Command) =>
      context.runOnEngines(command, (engines, out) =>
        unpark(engines, { tenant_id: tenantOf(tenant, context.env), account_id }, out),
      ),
    );
