import { Command } from 'commander';
import type { CommandContext } from '../program.js';
import { verify } from './verify.js';

export const verifyCommand = (context: CommandContext): Command =>
  new Command('verify')
    .description('compare bus, streams, read models and invoices while the ledger runs')
    .addHelpText('after', HELP)
    .action((_options: object, command: Command) =>
      context.runOnEngines(command, (engines, out) =>
        verify(engines, { clock: context.clock }, out),
      ),
    );

const HELP = `
Every request that is still on the bus is followed to its one decision; every stream is checked link
by link and folded; every row of the read models and every invoice is compared with the streams, at
the position that the read models stand at. What is not decided yet is in flight, not a mismatch.
Every event that the read models hold is decided again, by the price book in force then. Events that are
not projected yet are decided again from the accounts the read models hold.

Memory: about 250 bytes per account, one bit per message, and the events that are not projected yet.

Example:
  usage-ledger verify --json | jq 'select(.type == "mismatch")'`;
