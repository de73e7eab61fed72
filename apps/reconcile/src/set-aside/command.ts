import { Command } from 'commander';
import type { MessageCoordinate } from '#libs/contracts';
import { coordinateArgument } from '../arguments.js';
import { CouldNotRun } from '../exit-code.js';
import type { CommandContext } from '../program.js';
import { listAhead, setAheadAside } from './set-aside.js';

interface SetAsideOptions {
  readonly id?: MessageCoordinate[];
  readonly all: boolean;
}

export const setAsideCommand = (context: CommandContext): Command =>
  new Command('set-aside')
    .description('requests that the broker stamped far ahead, which hold up what is behind them')
    .option(
      '--id <topic/partition/offset...>',
      'have writers refuse these',
      (text: string, others?: MessageCoordinate[]) => [...(others ?? []), coordinateArgument(text)],
    )
    .option('--all', 'have writers refuse all of them', false)
    .addHelpText('after', HELP)
    .action(({ id, all }: SetAsideOptions, command: Command) => {
      if (id && all) throw new CouldNotRun('give --id or --all, not both');
      return context.runOnEngines(command, (engines, out) => {
        const ports = { ...engines, clock: context.clock };
        return id || all ? setAheadAside(ports, id ?? 'all', out) : listAhead(ports, out);
      });
    });

const HELP = `
Without an option they are listed. A writer decides nothing that is stamped more than 10 minutes ahead of
its clock: it waits until that time has come. What is set aside becomes a dead letter (stamped_in_future)
and is never decided where it stands; redriven, it gets a new stamp. Set the broker's clock right first.

Examples:
  usage-ledger set-aside
  usage-ledger set-aside --id ledger.usage/3/41
  usage-ledger redrive --reason stamped_in_future`;
