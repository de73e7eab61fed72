import { Command } from 'commander';
import type { CommandContext } from '../program.js';
import { rebuild } from './rebuild.js';

export const rebuildCommand = (context: CommandContext): Command =>
  new Command('rebuild')
    .description('make new read models out of the streams, compare, put them in place')
    .option('--into <schema>', 'fill this schema and compare only; the live one stays')
    .option('--accept-differences', 'put the new ones in place although they differ', false)
    .addHelpText('after', HELP)
    .action((options: { into?: string; acceptDifferences: boolean }, command: Command) =>
      context.runOnEngines(command, (engines, out) =>
        rebuild(
          engines,
          {
            into: options.into,
            accept_differences: options.acceptDifferences,
          },
          out,
        ),
      ),
    );

const HELP = `
The ledger may run meanwhile: projectors wait only while the two are compared and swapped.

Examples:
  usage-ledger rebuild
  usage-ledger rebuild --into read_check`;
