import { Command } from 'commander';
import { PRICE_BOOK_ACCOUNT } from '#libs/contracts';
import { tenantOf, tenantOption } from '../arguments.js';
import type { CommandContext } from '../program.js';
import { explainRequest } from './explain.js';

export const explainCommand = (context: CommandContext): Command =>
  new Command('explain')
    .description('why a request was charged, granted or rejected, down to message and event')
    .argument('<account>', `or '${PRICE_BOOK_ACCOUNT}' for the publication of a price book`)
    .argument('<request>', 'its request_id')
    .addOption(tenantOption())
    .addHelpText('after', '\nExample:\n  usage-ledger explain acct-0001 azure.csv:1:cc75337b')
    .action(
      (account_id: string, request_id: string, { tenant }: { tenant?: string }, command: Command) =>
        context.runOnEngines(command, (engines, out) =>
          explainRequest(
            engines,
            { tenant_id: tenantOf(tenant, context.env), account_id, request_id },
            out,
          ),
        ),
    );
