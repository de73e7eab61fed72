import { Command, Option } from 'commander';
import { accountKey, DEAD_LETTER_REASONS, type DeadLetterReason } from '#libs/contracts';
import { MAX_PAGE, type LetterFilter } from '#libs/read-models';
import { coordinateArgument, numberOption, tenantOf } from '../arguments.js';
import { CouldNotRun } from '../exit-code.js';
import type { CommandContext } from '../program.js';
import { dismiss } from './dismiss.js';
import { listDeadLetters } from './list.js';
import { redrive, REDRIVEN_BY_DEFAULT } from './redrive.js';

type Coordinate = ReturnType<typeof coordinateArgument>;

const TENANT = 'of this tenant only (default: all); with --account: whose it is';

const reasonOption = (description: string): Option =>
  new Option('--reason <reason...>', description).choices(DEAD_LETTER_REASONS);

export const deadLettersCommand = (context: CommandContext): Command =>
  new Command('dead-letters')
    .description('messages that were not decided')
    .addCommand(listCommand(context))
    .addCommand(dismissCommand(context));

interface ListOptions {
  readonly tenant?: string;
  readonly reason?: DeadLetterReason[];
  readonly all: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

const listCommand = (context: CommandContext): Command =>
  new Command('list')
    .description('those that wait for a person, the last filed first')
    .option('--tenant <tenant>', 'of this tenant only')
    .addOption(reasonOption('for these reasons only'))
    .option('--all', 'also those that were redriven or dismissed', false)
    .addOption(numberOption('--limit <number>', 'at most', 50, { most: MAX_PAGE }))
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', '\nExample:\n  usage-ledger dead-letters list --reason conflict')
    .action(({ tenant, reason, all, ...page }: ListOptions, command: Command) =>
      context.runOnEngines(command, ({ pool }, out) =>
        listDeadLetters(pool, { tenant_id: tenant, reasons: reason, open: !all, ...page }, out),
      ),
    );

interface ChosenLetters {
  readonly tenant?: string;
  readonly reason?: DeadLetterReason[];
  readonly id?: Coordinate;
  readonly account?: string;
}

/** Without an account the tenant says whose letters; with one, whose account. */
function filterOf(
  { tenant, reason, id, account }: ChosenLetters,
  env: CommandContext['env'],
): LetterFilter {
  const chosen = { reasons: reason, source: id };
  if (account === undefined) return { ...chosen, tenant_id: tenant };
  return { ...chosen, account: accountKey(tenantOf(tenant, env), account) };
}

interface DismissOptions extends ChosenLetters {
  readonly by: string;
  readonly why: string;
}

const dismissCommand = (context: CommandContext): Command =>
  new Command('dismiss')
    .description('note that nothing is left to be done about dead letters; they are kept')
    .option('--id <topic/partition/offset>', 'this one', coordinateArgument)
    .addOption(reasonOption('for these reasons'))
    .option('--account <account>', 'of this account')
    .option('--tenant <tenant>', TENANT)
    .requiredOption('--by <who>', 'who says so')
    .requiredOption('--why <why>', 'what was found out, or done')
    .addHelpText('after', DISMISS_HELP)
    .action(({ by, why, ...chosen }: DismissOptions, command: Command) => {
      const { id, reason, account } = chosen;
      if (!id && !reason && account === undefined)
        throw new CouldNotRun('give --id, --reason or --account: which are dismissed?');
      if (!by.trim() || !why.trim()) throw new CouldNotRun('--by and --why must not be empty');
      return context.runOnEngines(command, ({ pool }, out) =>
        dismiss(pool, filterOf(chosen, context.env), { by, why }, out),
      );
    });

const DISMISS_HELP = `
They are listed no longer, but by list --all, and are not redriven, but by their --id.

Example:
  usage-ledger dead-letters dismiss --reason conflict --tenant acme \\
    --by alice --why "the batch job reused its ids; fixed in its release 12"`;

export const redriveCommand = (context: CommandContext): Command =>
  new Command('redrive')
    .description('publish dead letters again: the same bytes, key and topic, in their order')
    .addOption(reasonOption(`default: ${REDRIVEN_BY_DEFAULT.join(', ')}`))
    .option(
      '--id <topic/partition/offset>',
      'only this one, also when its reason is not of the default',
      coordinateArgument,
    )
    .option('--account <account>', 'of this account only')
    .option('--tenant <tenant>', TENANT)
    .addHelpText('after', HELP)
    .action((chosen: ChosenLetters, command: Command) =>
      context.runOnEngines(command, (engines, out) => {
        const reasons = chosen.reason ?? (chosen.id ? undefined : REDRIVEN_BY_DEFAULT);
        return redrive(engines, { ...filterOf(chosen, context.env), reasons }, out);
      }),
    );

const HELP = `
They go the way of every message: what was decided meanwhile is found, not charged again. Those of a
parked account are left: unpark it first.

Refused, since the same bytes can never be decided: undecodable, wrong_key, wrong_topic, too_large,
conflict. invalid_request helps only after a writer was deployed that takes them; occurred_in_future
once that time has passed; stamped_in_future once the broker's clock is right.

Examples:
  usage-ledger redrive --reason unknown_schema
  usage-ledger redrive --id ledger.usage/3/41`;
